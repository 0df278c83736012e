//! AWS's shared files: `~/.aws/config` and `~/.aws/credentials`, and the profile in them that is meant.
//!
//! Follows the "Shared config and credentials files" of the AWS SDKs and Tools Reference Guide.

use super::{Aws, S3Error};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The sections of a file: their names, and what each sets. A nested setting is named `PARENT.NAME`.
type Sections = BTreeMap<String, BTreeMap<String, String>>;

/// What the shared files say of one profile.
#[derive(Default)]
pub(super) struct Profile {
    pub(super) name: String,
    settings: BTreeMap<String, String>,
    services: BTreeMap<String, String>,
}

impl Profile {
    /// Reads the profile that `AWS_PROFILE` names, else `default`.
    pub(super) fn load(aws: &Aws) -> Result<Self, S3Error> {
        let named = aws.get("AWS_PROFILE").or(aws.get("AWS_DEFAULT_PROFILE"));
        let name = named.unwrap_or("default");
        let place = |variable, file: &str| {
            let own = aws.get(variable).map(PathBuf::from);
            own.or_else(|| Some(aws.home.as_ref()?.join(".aws").join(file)))
        };
        let config = place("AWS_CONFIG_FILE", "config");
        let credentials = place("AWS_SHARED_CREDENTIALS_FILE", "credentials");
        let mut config = sections(config.as_deref())?;
        let mut credentials = sections(credentials.as_deref())?;
        let mut settings = config.remove(&format!("profile {name}"));
        if name == "default" {
            settings = settings.or_else(|| config.remove("default"));
        }
        let keys = credentials.remove(name);
        if settings.is_none() && keys.is_none() && named.is_some() {
            return Err(S3Error::Credentials {
                cause: format!(
                    "the profile {name:?} that `AWS_PROFILE` names is in no file of AWS"
                ),
                hint: "check its name: `~/.aws/config` has it as `[profile NAME]`, `~/.aws/credentials` as `[NAME]`",
            });
        }
        let mut settings = settings.unwrap_or_default();
        settings.extend(keys.unwrap_or_default());
        let services = settings.get("services");
        let services = services.and_then(|name| config.remove(&format!("services {name}")));
        Ok(Self {
            name: name.to_owned(),
            settings,
            services: services.unwrap_or_default(),
        })
    }

    /// One setting.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let value = self.settings.get(name).map(String::as_str);
        value.filter(|value| !value.is_empty())
    }

    /// The address that the profile has for a service.
    pub(super) fn endpoint(&self, service: &str) -> Option<&str> {
        let own = self.services.get(&format!("{service}.endpoint_url"));
        own.map(String::as_str).or_else(|| self.get("endpoint_url"))
    }
}

fn sections(file: Option<&Path>) -> Result<Sections, S3Error> {
    let Some(file) = file else {
        return Ok(Sections::new());
    };
    match std::fs::read(file) {
        Ok(text) => Ok(parsed(&String::from_utf8_lossy(&text))),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Sections::new()),
        Err(error) => Err(S3Error::Credentials {
            cause: format!("{}: {error}", file.display()),
            hint: "AWS's shared files have to be readable",
        }),
    }
}

fn parsed(text: &str) -> Sections {
    let mut all = Sections::new();
    let mut section: Option<String> = None;
    let mut parent = String::new();
    for line in text.lines() {
        let bare = line.trim();
        if bare.is_empty() || bare.starts_with(['#', ';']) {
            continue;
        }
        if let Some(header) = bare.strip_prefix('[') {
            let name = header.split(']').next().unwrap_or_default();
            let words: Vec<&str> = name.split_whitespace().collect();
            let name = words.join(" ").replace('"', "");
            all.entry(name.clone()).or_default();
            section = Some(name);
            parent.clear();
            continue;
        }
        let (Some(section), Some((name, value))) = (&section, bare.split_once('=')) else {
            continue;
        };
        let comment = [" #", " ;", "\t#", "\t;"];
        let end = comment.iter().filter_map(|mark| value.find(mark)).min();
        let value = value[..end.unwrap_or(value.len())].trim();
        let mut name = name.trim().to_lowercase();
        match line.starts_with([' ', '\t']) && !parent.is_empty() {
            true => name = format!("{parent}.{name}"),
            false if value.is_empty() => parent.clone_from(&name),
            false => parent.clear(),
        }
        if let Some(settings) = all.get_mut(section) {
            settings.insert(name, value.to_owned());
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::{Aws, Profile, parsed};

    const CONFIG: &str = "# none\nlost = 1\n[default]\nregion=eu-west-1 # here\n\n[ profile  dev ]\nRegion = eu-north-1\n\
        s3 =\n  addressing_style = path\nservices = own\nrole_arn = a=b\n[services own]\ns3 =\n  \
        endpoint_url = http://127.0.0.1:9\nsts =\n\tendpoint_url = http://127.0.0.1:8\n";
    const CREDENTIALS: &str = "[dev]\naws_access_key_id = AK\naws_secret_access_key = a#b/c=\n";

    #[test]
    fn a_profile_is_what_both_files_say() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = folder.path().join(".aws").join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        write("config", CONFIG);
        write("credentials", CREDENTIALS);
        let load = |name: Option<&str>| {
            let variables = name.map(|name| ("AWS_PROFILE".to_owned(), name.to_owned()));
            Profile::load(&Aws {
                variables: variables.into_iter().collect(),
                home: Some(folder.path().to_owned()),
                ..Aws::default()
            })
        };
        let dev = load(Some("dev")).unwrap();
        assert_eq!(dev.get("region"), Some("eu-north-1"));
        assert_eq!(dev.get("aws_secret_access_key"), Some("a#b/c="));
        assert_eq!(dev.get("role_arn"), Some("a=b"));
        assert_eq!(dev.endpoint("s3"), Some("http://127.0.0.1:9"));
        assert_eq!(dev.endpoint("sts"), Some("http://127.0.0.1:8"));
        assert_eq!(load(None).unwrap().get("region"), Some("eu-west-1"));
        let error = load(Some("none")).err().unwrap().to_string();
        assert!(error.contains("\"none\""), "{error}");
    }

    #[test]
    fn broken_files_are_read_as_far_as_they_go() {
        assert!(parsed("a=b\n[\n[]\n=\nx\n[y]\nz").contains_key("y"));
    }
}
