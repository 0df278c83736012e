//! Known fields: where custom resources name images in other ways than under the key `image`, and
//! where something under that key is none.
//!
//! Each line was read from the schema of the project that it names, and from its code where an image
//! is made of several fields.

/// How a field makes up an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// It is one, after this prefix.
    Image {
        /// For example `docker://`.
        prefix: &'static str,
    },
    /// It is the repository, with a tag in the field beside it.
    Tagged {
        /// The name of that field.
        tag: &'static str,
    },
    /// It is the last part of a repository, with the parts before it and the version beside it;
    /// without them it is an image.
    Named {
        /// The field with the parts before.
        repository: &'static str,
        /// The field with a tag or digest.
        version: &'static str,
    },
    /// It is an image, or a repository whose tag or digest is beside it, unless another field holds
    /// the image.
    Base {
        /// The field with the whole image.
        image: &'static str,
        /// The field with the digits of a digest.
        digest: &'static str,
        /// The fields with a tag, the first that is set counts.
        tags: [&'static str; 2],
    },
    /// It is no image.
    Other,
}

/// A field of custom resources.
#[derive(Debug)]
pub(super) struct Known {
    /// The API group; empty for every group.
    group: &'static str,
    /// The last keys of the path, list indexes left out; `*` is any key.
    keys: &'static [&'static str],
    /// What it is.
    form: Form,
}

const IMAGE: Form = Form::Image { prefix: "" };
const TAG: Form = Form::Tagged { tag: "tag" };

const fn known(group: &'static str, keys: &'static [&'static str], form: Form) -> Known {
    Known { group, keys, form }
}

#[rustfmt::skip]
const TABLE: &[Known] = &[
    // Kubernetes: volumes that are images, and block devices of Ceph that are none.
    known("", &["volumes", "image", "reference"], IMAGE),
    known("", &["rbd", "image"], Form::Other),
    // Images that controllers start, in their arguments: cert-manager's and Prometheus operator's.
    known("", &["args"], Form::Image { prefix: "--acme-http01-solver-image=" }),
    known("", &["args"], Form::Image { prefix: "--prometheus-config-reloader=" }),
    // A schema speaks about images and holds none.
    known("apiextensions.k8s.io", &["image"], Form::Other),
    // Prometheus operator, pkg/operator/image.go: a base with a digest is taken as it is.
    known("monitoring.coreos.com", &["baseImage"],
          Form::Base { image: "image", digest: "sha", tags: ["tag", "version"] }),
    // CloudNativePG.
    known("postgresql.cnpg.io", &["spec", "imageName"], IMAGE),
    known("postgresql.cnpg.io", &["extensions", "image", "reference"], IMAGE),
    // Zalando's operator for PostgreSQL.
    known("acid.zalan.do", &["dockerImage"], IMAGE),
    known("acid.zalan.do", &["docker_image"], IMAGE),
    known("acid.zalan.do", &["connection_pooler_image"], IMAGE),
    known("acid.zalan.do", &["logical_backup_docker_image"], IMAGE),
    known("acid.zalan.do", &["scalyr_image"], IMAGE),
    known("acid.zalan.do", &["sidecar_docker_images", "*"], IMAGE),
    // cass-operator.
    known("cassandra.datastax.com", &["spec", "serverImage"], IMAGE),
    known("cassandra.datastax.com", &["spec", "configBuilderImage"], IMAGE),
    known("cassandra.datastax.com", &["spec", "systemLoggerImage"], IMAGE),
    // Scylla operator.
    known("scylla.scylladb.com", &["spec", "scyllaUtilsImage"], IMAGE),
    known("scylla.scylladb.com", &["spec", "scyllaDBNodeExporterImage"], IMAGE),
    known("scylla.scylladb.com", &["spec", "unsupportedBashToolsImageOverride"], IMAGE),
    known("scylla.scylladb.com", &["spec", "unsupportedGrafanaImageOverride"], IMAGE),
    // Strimzi: an image that is built and pushed is not one to pull.
    known("kafka.strimzi.io", &["build", "output", "image"], Form::Other),
    known("kafka.strimzi.io", &["spec", "clientRackInitImage"], IMAGE),
    known("kafka.strimzi.io", &["spec", "kafka", "brokerRackInitImage"], IMAGE),
    // Shipwright: likewise.
    known("shipwright.io", &["output", "image"], Form::Other),
    // Knative operator, pkg/reconciler/common/images.go.
    known("operator.knative.dev", &["spec", "registry", "override", "*"], IMAGE),
    // NVIDIA's GPU operator, internal/image/image.go.
    known("nvidia.com", &["image"], Form::Named { repository: "repository", version: "version" }),
    // VictoriaMetrics operator, api/operator/v1beta1/vmextra_types.go.
    known("operator.victoriametrics.com", &["image", "repository"], TAG),
    known("operator.victoriametrics.com", &["configReloaderImage"], IMAGE),
    known("operator.victoriametrics.com", &["configReloaderImageTag"], IMAGE),
    // Solr operator, api/v1beta1/common_types.go.
    known("solr.apache.org", &["solrImage", "repository"], TAG),
    known("solr.apache.org", &["busyBoxImage", "repository"], TAG),
    known("solr.apache.org", &["image", "repository"], TAG),
    // ZooKeeper operator, api/v1beta1/zookeepercluster_types.go.
    known("zookeeper.pravega.io", &["spec", "image", "repository"], TAG),
    // Tekton: tasks and pipelines that are images.
    known("tekton.dev", &["taskRef", "bundle"], IMAGE),
    known("tekton.dev", &["pipelineRef", "bundle"], IMAGE),
    known("tekton.dev", &["customRef", "bundle"], IMAGE),
    // Crossplane: packages are images.
    known("pkg.crossplane.io", &["spec", "package"], IMAGE),
    // KubeVirt's importer of disks, and templates of it in virtual machines; a cron job of it asks
    // for newer images.
    known("cdi.kubevirt.io", &["template", "spec", "source", "registry", "url"], Form::Other),
    known("cdi.kubevirt.io", &["source", "registry", "url"], Form::Image { prefix: "docker://" }),
    known("kubevirt.io", &["source", "registry", "url"], Form::Image { prefix: "docker://" }),
    // Flux: a repository whose tags are listed.
    known("image.toolkit.fluxcd.io", &["spec", "image"], Form::Other),
    // Kyverno: patterns of images.
    known("kyverno.io", &["image"], Form::Other),
    known("policies.kyverno.io", &["image"], Form::Other),
];

/// The fields that objects of an API version may have.
pub(super) fn fields(api_version: &str) -> Vec<&'static Known> {
    let group = api_version.split_once('/').map_or("", |(group, _)| group);
    let here = |known: &&Known| known.group.is_empty() || known.group == group;
    TABLE.iter().filter(here).collect()
}

/// What a field with this text is, by the keys that lead to it, the last first.
pub(super) fn form<'k>(
    fields: &[&'static Known],
    text: &str,
    keys: &(impl Iterator<Item = &'k str> + Clone),
) -> Option<Form> {
    let matches = |known: &&&Known| {
        let mut keys = keys.clone();
        let mut wanted = known.keys.iter().rev();
        let prefixed = match known.form {
            Form::Image { prefix } => text.starts_with(prefix),
            _ => true,
        };
        prefixed
            && wanted.all(|wanted| {
                keys.next()
                    .is_some_and(|key| *wanted == "*" || *wanted == key)
            })
    };
    fields.iter().find(matches).map(|known| known.form)
}
