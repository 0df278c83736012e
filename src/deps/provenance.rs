//! Provenance: what an archive has to hold, by a file that somebody signed.
//!
//! Follows helm v4 `pkg/provenance/sign.go`: a clearsigned text of two YAML documents, the second of which has the
//! SHA-256 of archives by their names. Whose signatures are believed is in `keyring.rs`.

use super::{Error, Keyring};
use crate::image::Digest;
use jiff::Timestamp;
use windlass_helm::value::{Map, Value};
use windlass_helm::yaml;

/// The largest provenance that is read, in bytes.
pub(super) const MAX_PROVENANCE: u64 = 1 << 20;

/// Which archives are verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verify {
    /// Those that have a provenance.
    IfPresent,
    /// All: one without a provenance is refused.
    Always,
}

/// How archives are verified.
#[derive(Debug)]
pub struct Verifier {
    /// Which.
    pub verify: Verify,
    /// Whose signatures are believed.
    pub keyring: Keyring,
    /// The time at which signatures and keys have to be valid.
    pub now: Timestamp,
}

impl Verifier {
    /// Verifies an archive called `NAME-VERSION.tgz`, or as its address ends, by its provenance. Returns who signed it;
    /// `None` when there is no provenance and that is allowed.
    ///
    /// # Errors
    /// [`Error::Unverified`] with the cause.
    pub fn verify(
        &self,
        chart: (&str, &str),
        url: &str,
        file: &[u8],
        provenance: Option<&[u8]>,
    ) -> Result<Option<String>, Error> {
        let (name, version) = chart;
        let refused = |cause: String| Error::Unverified {
            chart: format!("{name} {version}"),
            url: url.to_owned(),
            cause,
        };
        let Some(provenance) = provenance else {
            return match self.verify {
                Verify::Always => Err(refused("it has no provenance".to_owned())),
                Verify::IfPresent => Ok(None),
            };
        };
        let own = format!("{name}-{version}.tgz");
        let names = [own.as_str(), url.rsplit('/').next().unwrap_or_default()];
        let of_provenance = |cause: String| refused(format!("its provenance is refused: {cause}"));
        let signed = signed(provenance, &self.keyring, self.now).map_err(of_provenance)?;
        check(&signed.text, &names, file).map_err(of_provenance)?;
        Ok(Some(signed.by))
    }
}

/// A text and who signed it.
struct Signed {
    text: String,
    by: String,
}

/// The text of a clearsigned message that is signed by somebody who is believed.
fn signed(message: &[u8], keyring: &Keyring, now: Timestamp) -> Result<Signed, String> {
    let message = std::str::from_utf8(message).map_err(|_| "it is no text".to_owned())?;
    let (lines, armor) = parts(message).ok_or("it is no clearsigned text")?;
    let canonical = lines.join("\r\n");
    let by = keyring.signer(canonical.as_bytes(), armor.as_bytes(), now.as_second())?;
    Ok(Signed {
        text: lines.join("\n"),
        by,
    })
}

/// The lines that are signed, as they are signed, and the signature (RFC 9580, section 7).
fn parts(message: &str) -> Option<(Vec<&str>, &str)> {
    const BEGIN: &str = "-----BEGIN PGP SIGNED MESSAGE-----";
    const SIGNATURE: &str = "-----BEGIN PGP SIGNATURE-----";
    let mut rest = message;
    let mut next = move || -> Option<(&str, &str)> {
        let here = rest;
        let (line, after) = rest.split_once('\n')?;
        rest = after;
        Some((line.trim_end_matches([' ', '\t', '\r']), here))
    };
    while next()?.0 != BEGIN {}
    loop {
        match next()?.0 {
            "" => break,
            header if header.starts_with("Hash:") => {}
            _ => return None,
        }
    }
    let mut lines = Vec::new();
    loop {
        let (line, here) = next()?;
        if line == SIGNATURE {
            return Some((lines, here));
        }
        match line.strip_prefix('-') {
            None => lines.push(line),
            Some(escaped) => lines.push(escaped.strip_prefix(' ').unwrap_or_default()),
        }
        if line.starts_with('-') && !line.starts_with("- ") && line != "-" {
            return None;
        }
    }
}

/// Compares an archive with the sum that a text has for it.
fn check(text: &str, names: &[&str], file: &[u8]) -> Result<(), String> {
    let mut documents = text.split("\n...\n").skip(1);
    let sums = documents.next().ok_or("it has no sums")?;
    let sums = yaml::from_yaml_map(sums.as_bytes()).map_err(|error| error.to_string())?;
    let files = sums.get("files").unwrap_or(Value::Nil);
    let sum = |name: &&str| files.as_map().and_then(|files| files.get(name));
    let Some(stated) = names.iter().find_map(sum) else {
        let known = files.as_map().map(Map::keys).unwrap_or_default();
        let known: Vec<String> = known
            .iter()
            .map(|name| format!("{:?}", name.to_text()))
            .collect();
        return Err(format!(
            "it is not of {}, but of {}",
            names[0],
            known.join(", ")
        ));
    };
    let stated = stated.as_str().map(|text| text.to_text().into_owned());
    let actual = Digest::of(file).to_string();
    match stated {
        Some(stated) if stated == actual => Ok(()),
        stated => Err(format!(
            "it is of an archive with {:?}, this one has {actual}",
            stated.unwrap_or_default()
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::{check, parts};
    use crate::image::Digest;

    #[test]
    fn the_lines_of_a_message_are_as_they_were_signed() {
        let text = "before\n-----BEGIN PGP SIGNED MESSAGE-----\r\nHash: SHA512\n\na: 1 \t\r\n- - b\n\n- -----BEGIN\n\
                    -----BEGIN PGP SIGNATURE-----\n\nx\n-----END PGP SIGNATURE-----\n";
        let (lines, armor) = parts(text).unwrap();
        assert_eq!(lines, ["a: 1", "- b", "", "-----BEGIN"]);
        assert!(armor.starts_with("-----BEGIN PGP SIGNATURE-----\n"));
        for wrong in [
            "",
            "a: 1\n",
            "-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\n\na: 1\n",
            "-----BEGIN PGP SIGNED MESSAGE-----\nEvil: a\n\na: 1\n-----BEGIN PGP SIGNATURE-----\n",
            "-----BEGIN PGP SIGNED MESSAGE-----\n\n-a: 1\n-----BEGIN PGP SIGNATURE-----\n",
        ] {
            assert_eq!(parts(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_sum_is_of_a_name() {
        let digest = Digest::of(b"chart");
        let text = format!("name: web\n...\nfiles:\n  web-1.0.0.tgz: {digest}\n");
        let names = ["web-1.0.0.tgz", "w.tgz"];
        assert_eq!(check(&text, &names, b"chart"), Ok(()));
        assert!(
            check(&text, &names, b"other")
                .unwrap_err()
                .contains(digest.as_str())
        );
        let error = check(&text, &["db-1.0.0.tgz"], b"chart").unwrap_err();
        assert_eq!(error, "it is not of db-1.0.0.tgz, but of \"web-1.0.0.tgz\"");
        assert_eq!(
            check("name: web", &names, b"").unwrap_err(),
            "it has no sums"
        );
    }
}
