//! `lookup` in templates, answered by a real API server.

use super::program::Case;

/// A password that is made up once and then kept, and used in another object.
const SECRET: &str = "{{- $old := lookup \"v1\" \"Secret\" .Release.Namespace \"db\" }}
apiVersion: v1
kind: Secret
metadata: {name: db}
data:
  password: {{ if $old }}{{ $old.data.password }}{{ else }}{{ randAlphaNum 24 | b64enc }}{{ end }}
";

#[test]
fn a_password_made_up_once_is_kept_by_the_next_deploy() {
    let case = Case::new("lookup");
    case.template("secret.yaml", SECRET);
    let first = case.deploy(&["--lookup"]);
    assert_eq!(first.code, 0, "{}", first.all());
    let second = case.deploy(&["--lookup"]);
    assert!(
        second.stderr.contains("No changes to shop"),
        "{}",
        second.all()
    );
    let diff = case.run(&["diff", "shop", "chart", "--lookup", "--exit-code"]);
    assert_eq!(diff.code, 0, "{}", diff.all());

    // Without the flag it says once what to do; windlass.yaml may have it instead.
    let without = case.run(&["diff", "shop", "chart", "--exit-code"]);
    assert_eq!(without.code, 3, "{}", without.all());
    let warning = "warning: the chart uses `lookup` (chart/templates/secret.yaml:1), which finds nothing; add \
                   `--lookup`, or `lookup: true` to windlass.yaml, to let it read from the cluster\n";
    assert_eq!(
        without.stderr.matches("lookup").count(),
        warning.matches("lookup").count()
    );
    assert!(without.stderr.contains(warning), "{}", without.all());
    case.env.write(
        "windlass.yaml",
        "version: 1\nname: shop\nchart: chart\nlookup: true\n",
    );
    let configured = case.run(&["diff", "--exit-code"]);
    assert_eq!(configured.code, 0, "{}", configured.all());
}

#[test]
fn a_secret_that_was_looked_up_is_masked_wherever_it_comes_out() {
    let case = Case::new("lookup-mask");
    case.template(
        "secret.yaml",
        "apiVersion: v1\nkind: Secret\nmetadata: {name: db}\nstringData: {password: canary-5f0c2b9e71}\n",
    );
    assert_eq!(case.deploy(&[]).code, 0);
    case.template(
        "map.yaml",
        "{{- $p := (lookup \"v1\" \"Secret\" .Release.Namespace \"db\").data.password | b64dec }}\n\
         apiVersion: v1\nkind: ConfigMap\nmetadata: {name: url}\ndata: {url: \"db://me:{{ $p }}@db\"}\n",
    );
    // `run` fails when the value is printed.
    let diff = case.run(&["diff", "shop", "chart", "--lookup"]);
    assert!(diff.stdout.contains("db://me:<masked "), "{}", diff.all());
    case.template(
        "map.yaml",
        "{{ fail (b64dec (lookup \"v1\" \"Secret\" .Release.Namespace \"db\").data.password) }}",
    );
    let failed = case.run(&["diff", "shop", "chart", "--lookup"]);
    assert_eq!(failed.code, 1, "{}", failed.all());
    assert!(failed.stderr.contains("<masked>"), "{}", failed.all());
}

/// What Helm 4.3 prints for the same template with `--dry-run=server`.
#[test]
fn objects_lists_and_what_is_not_there_are_as_helm_has_them() {
    let case = Case::new("lookup-kinds");
    case.template(
        "map.yaml",
        "{{- $ns := lookup \"v1\" \"Namespace\" \"ignored\" \"kube-system\" }}\n\
         {{- $deployments := lookup \"apps/v1\" \"Deployment\" .Release.Namespace \"\" }}\n\
         {{- $none := lookup \"v1\" \"ConfigMap\" .Release.Namespace \"none\" }}\n\
         {{- $elsewhere := lookup \"v1\" \"Secret\" \"\" \"db\" }}\n\
         {{- $all := lookup \"v1\" \"Namespace\" \"\" \"\" }}\n\
         apiVersion: v1\nkind: ConfigMap\nmetadata: {name: seen}\ndata:\n  \
         one: {{ $ns.kind }} {{ $ns.apiVersion }} {{ $ns.metadata.name }}\n  \
         list: {{ $deployments.kind }} {{ $deployments.apiVersion }} {{ kindOf $deployments.items }}\n  \
         none: got {{ printf \"%s %s\" (toJson $none) (toJson $elsewhere) }}\n  \
         many: {{ printf \"%v %s\" (gt (len $all.items) 2) (first $all.items).kind }}\n",
    );
    let lookup = ["diff", "shop", "chart", "--lookup", "--create-namespace"];
    let shown = case.run(&lookup);
    for line in [
        "none: got {} {}",
        "one: Namespace v1 kube-system",
        "list: DeploymentList apps/v1 slice",
        "many: true Namespace",
    ] {
        assert!(shown.stdout.contains(line), "{line}: {}", shown.all());
    }
    case.template("map.yaml", "{{ lookup \"nope/v1\" \"Thing\" \"\" \"\" }}");
    let failed = case.run(&lookup);
    assert_eq!(failed.code, 1, "{}", failed.all());
    assert!(
        failed
            .stderr
            .contains("nope/v1, Kind=Thing: the server could not find the requested resource"),
        "{}",
        failed.all()
    );
}
