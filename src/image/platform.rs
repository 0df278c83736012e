//! Platforms: which of the images of an index is meant.
//!
//! What fits follows kbld `pkg/kbld/image/platform_selected.go`; indexes are read in `registry/`.

use serde::{Deserialize, Serialize};
use std::fmt;

/// A platform as an index names it, and `platformSelection` as Configs have it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default)]
pub struct Platform {
    /// The processor, for example `arm64`.
    pub architecture: String,
    /// The operating system, for example `linux`.
    pub os: String,
    /// The version of the operating system; empty for any.
    #[serde(rename = "os.version", skip_serializing_if = "String::is_empty")]
    pub os_version: String,
    /// Features of the operating system.
    #[serde(rename = "os.features", skip_serializing_if = "Vec::is_empty")]
    pub os_features: Vec<String>,
    /// The variant of the processor, for example `v8`; empty for any.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub variant: String,
    /// Features of the processor.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub features: Vec<String>,
}

impl Platform {
    /// Reads `OS/ARCHITECTURE[/VARIANT][:VERSION]`, for example `linux/arm64/v8`.
    ///
    /// # Errors
    ///
    /// What is wrong, as a sentence fragment with the text.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (names, version) = text.split_once(':').unwrap_or((text, ""));
        let mut names = names.split('/').map(str::to_owned);
        let mut next = || names.next().unwrap_or_default();
        let platform = Self {
            os: next(),
            architecture: next(),
            variant: next(),
            os_version: version.to_owned(),
            ..Self::default()
        };
        if platform.os.is_empty() || platform.architecture.is_empty() || names.next().is_some() {
            return Err(format!(
                "`{text}` is not OS/ARCHITECTURE[/VARIANT][:VERSION]"
            ));
        }
        Ok(platform)
    }

    /// Whether an image for `given` is one for this platform: system and processor are the same,
    /// version and variant too where they are asked for, and no feature is missing.
    #[must_use]
    pub fn is_met_by(&self, given: &Self) -> bool {
        let asked = |wanted: &str, given: &str| wanted.is_empty() || wanted == given;
        let has_all =
            |wanted: &[String], given: &[String]| wanted.iter().all(|f| given.contains(f));
        self.architecture == given.architecture
            && self.os == given.os
            && asked(&self.os_version, &given.os_version)
            && asked(&self.variant, &given.variant)
            && has_all(&self.os_features, &given.os_features)
            && has_all(&self.features, &given.features)
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.os, self.architecture)?;
        if !self.variant.is_empty() {
            write!(f, "/{}", self.variant)?;
        }
        if !self.os_version.is_empty() {
            write!(f, ":{}", self.os_version)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn platform(text: &str) -> Platform {
        Platform::parse(text).unwrap()
    }

    #[test]
    fn platforms_are_read_as_they_are_written() {
        for text in ["linux/amd64", "linux/arm/v7", "windows/amd64:10.0.17763.1"] {
            assert_eq!(platform(text).to_string(), text);
        }
        for text in ["linux", "linux/", "/arm64", "a/b/c/d", ""] {
            let error = Platform::parse(text).unwrap_err();
            assert_eq!(
                error,
                format!("`{text}` is not OS/ARCHITECTURE[/VARIANT][:VERSION]")
            );
        }
    }

    #[test]
    fn only_what_is_asked_for_has_to_be_the_same() {
        assert!(platform("linux/arm").is_met_by(&platform("linux/arm/v7")));
        assert!(!platform("linux/arm/v7").is_met_by(&platform("linux/arm")));
        assert!(!platform("linux/arm").is_met_by(&platform("linux/arm64")));
        assert!(platform("windows/amd64").is_met_by(&platform("windows/amd64:10.0")));
        assert!(!platform("windows/amd64:10.1").is_met_by(&platform("windows/amd64:10.0")));
        let wanted = Platform {
            features: vec!["sse4".to_owned()],
            ..platform("linux/amd64")
        };
        assert!(!wanted.is_met_by(&platform("linux/amd64")));
        assert!(platform("linux/amd64").is_met_by(&wanted));
    }

    #[test]
    fn an_index_and_a_config_use_the_same_form() {
        let json = r#"{"architecture":"amd64","os":"windows","os.version":"10.0"}"#;
        let read: Platform = serde_json::from_str(json).unwrap();
        assert_eq!(read, platform("windows/amd64:10.0"));
        assert_eq!(serde_json::to_string(&read).unwrap(), json);
    }
}
