//! Certificates and keys: `genPrivateKey`, `genCA`, `genSelfSignedCert`, `genSignedCert`,
//! `buildCustomCert`.
//!
//! Follows sprig 3.3.0 `crypto.go` and Go 1.26 `crypto/x509` (`CreateCertificate`): the same fields and
//! extensions in the same order.

use super::args::{Answer, any, bytes, function, int, text};
use super::encoding::decode_base64;
use super::keys::PrivateKey;
use super::text::printed;
use super::time::{Time, Zone};
use super::{der, dsa, layout, pem, random};
use crate::limits::cost;
use crate::template::{Fault, Function, Param, Runtime};
use crate::value::quote::quoted;
use crate::value::{Object, Str, Value};
use sha2::{Digest, Sha256};
use std::any::Any;
use std::borrow::Cow;
use std::net::IpAddr;
use std::rc::Rc;
use x509_cert::der::{Decode, Encode};

const S: Param = Param::Str;
const I: Param = Param::Int;
const L: Param = Param::List;
const CERT: Param = Param::Named("sprig.certificate");

/// How many words a prime of the RSA keys of certificates has: 2048 bits in all.
const CERT_KEY_WORDS: usize = 2048 / 2 / 64;

/// How many words a prime of the RSA keys of `genPrivateKey` has: 4096 bits in all.
const KEY_WORDS: usize = 4096 / 2 / 64;

/// The functions of this file.
pub(super) const TABLE: &[Function] = &[
    function("genPrivateKey", &[S], |run, a| {
        generate_key(run, text(a, 0))
    }),
    function("genCA", &[S, I], |run, a| {
        let request = Request::new("genCA", text(a, 0), int(a, 1)).authority();
        request.self_signed(run, None)
    }),
    function("genCAWithKey", &[S, I, S], |run, a| {
        let request = Request::new("genCAWithKey", text(a, 0), int(a, 1)).authority();
        request.self_signed(run, Some(text(a, 2)))
    }),
    function("genSelfSignedCert", &[S, L, L, I], |run, a| {
        Request::new("genSelfSignedCert", text(a, 0), int(a, 3))
            .names(a)?
            .self_signed(run, None)
    }),
    function("genSelfSignedCertWithKey", &[S, L, L, I, S], |run, a| {
        Request::new("genSelfSignedCertWithKey", text(a, 0), int(a, 3))
            .names(a)?
            .self_signed(run, Some(text(a, 4)))
    }),
    function("genSignedCert", &[S, L, L, I, CERT], |run, a| {
        Request::new("genSignedCert", text(a, 0), int(a, 3))
            .names(a)?
            .signed_by(run, any(a, 4), None)
    }),
    function("genSignedCertWithKey", &[S, L, L, I, CERT, S], |run, a| {
        Request::new("genSignedCertWithKey", text(a, 0), int(a, 3))
            .names(a)?
            .signed_by(run, any(a, 4), Some(text(a, 5)))
    }),
    function("buildCustomCert", &[S, S], |_, a| {
        custom(text(a, 0), text(a, 1))
    }),
];

/// A certificate and its key, both PEM: the struct that templates see.
#[derive(Debug)]
struct Certificate {
    cert: Str,
    key: Str,
}

impl Object for Certificate {
    fn type_name(&self) -> Cow<'static, str> {
        "sprig.certificate".into()
    }

    fn fields(&self) -> Vec<(&'static str, Value)> {
        vec![
            ("Cert", self.cert.clone().into()),
            ("Key", self.key.clone().into()),
        ]
    }

    fn json_fields(&self) -> Option<Vec<(&'static str, Value)>> {
        Some(self.fields())
    }

    fn equals(&self, other: &dyn Object) -> bool {
        other
            .as_any()
            .downcast_ref::<Self>()
            .is_some_and(|other| self.cert == other.cert && self.key == other.key)
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

fn value(cert: impl Into<Str>, key: impl Into<Str>) -> Value {
    Value::Object(Rc::new(Certificate {
        cert: cert.into(),
        key: key.into(),
    }))
}

/// `genPrivateKey`: PEM of `rsa` (4096 bits), `dsa`, `ecdsa` (P-256) or `ed25519`.
fn generate_key(run: &mut dyn Runtime, kind: &[u8]) -> Answer {
    run.work(match kind {
        b"" | b"rsa" => cost::RSA_KEY,
        b"dsa" => cost::DSA_KEY,
        _ => cost::SMALL_KEY,
    })?;
    let rng = &mut random::source(run, "genPrivateKey");
    let key = match kind {
        b"" | b"rsa" => PrivateKey::rsa::<KEY_WORDS>(rng),
        b"dsa" => Ok(PrivateKey::Dsa(Box::new(dsa::DsaKey::generate(rng)))),
        b"ecdsa" => Ok(PrivateKey::ecdsa(rng)),
        b"ed25519" => Ok(PrivateKey::ed25519(rng)),
        _ => return bytes([b"Unknown type ", kind].concat()),
    };
    match key.and_then(|key| key.to_pem()) {
        Ok(text) => bytes(text),
        Err(error) => bytes(format!("failed to generate private key: {error}")),
    }
}

/// `buildCustomCert`: checks a base64 certificate and its key, and gives both decoded.
fn custom(cert: &[u8], key: &[u8]) -> Answer {
    let cert = decode_base64(cert).map_err(|_| "unable to decode base64 certificate")?;
    let key = decode_base64(key).map_err(|_| "unable to decode base64 private key")?;
    let (_, content) = pem::decode(&cert).ok_or("unable to decode certificate")?;
    if x509_cert::Certificate::from_der(&content).is_err() {
        return Err(
            "error parsing certificate: decodedCert.Bytes: x509: malformed certificate".into(),
        );
    }
    if let Err(error) = PrivateKey::from_pem(&key) {
        return Err(format!("error parsing private key: {error}").into());
    }
    Ok(value(cert, key))
}

/// What a certificate is asked to say.
struct Request<'a> {
    /// The function that was called.
    function: &'static str,
    common_name: &'a [u8],
    days: i64,
    authority: bool,
    addresses: Vec<IpAddr>,
    dns_names: Vec<Str>,
}

/// Who signs a certificate.
struct Signer<'a> {
    /// The subject of the signer as DER.
    name: Vec<u8>,
    key: &'a PrivateKey,
    /// The signer's subject key identifier, if its certificate has one.
    key_id: Option<Vec<u8>>,
}

impl<'a> Request<'a> {
    fn new(function: &'static str, common_name: &'a [u8], days: i64) -> Self {
        Self {
            function,
            common_name,
            days,
            authority: false,
            addresses: Vec::new(),
            dns_names: Vec::new(),
        }
    }

    /// `genCA` and `genCAWithKey`.
    fn authority(mut self) -> Self {
        self.authority = true;
        self
    }

    /// Takes addresses and names from the second and third argument.
    fn names(mut self, args: &[Value]) -> Result<Self, Fault> {
        let items = |at| any(args, at).as_list().map_or(&[][..], |list| list.items());
        for item in items(1) {
            let Value::Str(address) = item else {
                let item = printed(item)?;
                let text = format!("error parsing ip: {} is not a string", item.to_text());
                return Err(Fault::new(text));
            };
            let parsed = address.as_utf8().and_then(|address| address.parse().ok());
            let Some(parsed) = parsed else {
                return Err(format!("error parsing ip: {}", address.to_text()).into());
            };
            self.addresses.push(parsed);
        }
        for item in items(2) {
            let Value::Str(name) = item else {
                let item = printed(item)?;
                return Err(Fault::new(format!(
                    "error processing alternate dns name: {} is not a string",
                    item.to_text()
                )));
            };
            self.dns_names.push(name.clone());
        }
        Ok(self)
    }

    /// The key of the certificate: the given one or a new one.
    fn key(&self, run: &mut dyn Runtime, given: Option<&[u8]>) -> Result<PrivateKey, Fault> {
        match given {
            Some(text) => PrivateKey::from_pem(text)
                .map_err(|error| Fault::new(format!("parsing private key: {error}"))),
            None => PrivateKey::rsa::<CERT_KEY_WORDS>(&mut random::source(run, self.function))
                .map_err(|error| Fault::new(format!("error generating rsa key: {error}"))),
        }
    }

    /// `genSelfSignedCert` and its `WithKey`.
    fn self_signed(&self, run: &mut dyn Runtime, key: Option<&[u8]>) -> Answer {
        run.work(cost::CERTIFICATE)?;
        let key = self.key(run, key)?;
        let signer = Signer {
            name: self.subject(),
            key: &key,
            key_id: None,
        };
        self.issue(run, &key, &signer)
    }

    /// `genSignedCert` and its `WithKey`.
    fn signed_by(&self, run: &mut dyn Runtime, authority: &Value, key: Option<&[u8]>) -> Answer {
        run.work(cost::CERTIFICATE)?;
        let key = self.key(run, key)?;
        let authority = match authority {
            Value::Object(object) => object.as_any().downcast_ref::<Certificate>(),
            _ => None,
        };
        let (cert, authority_key) = match authority {
            Some(authority) => (authority.cert.as_bytes(), authority.key.as_bytes()),
            None => (&b""[..], &b""[..]),
        };
        let (_, content) = pem::decode(cert).ok_or("unable to decode certificate")?;
        let cert = x509_cert::Certificate::from_der(&content).map_err(
            |_| "error parsing certificate: decodedSignerCert.Bytes: x509: malformed certificate",
        )?;
        let authority_key = PrivateKey::from_pem(authority_key)
            .map_err(|error| Fault::new(format!("error parsing private key: {error}")))?;
        let info = cert.tbs_certificate.subject_public_key_info.to_der();
        if info.ok() != authority_key.public_info().ok() {
            return Err("error creating certificate: x509: provided PrivateKey doesn't match parent's PublicKey".into());
        }
        let malformed = |_| "error creating certificate: x509: malformed issuer";
        let signer = Signer {
            name: cert.tbs_certificate.subject.to_der().map_err(malformed)?,
            key: &authority_key,
            key_id: subject_key_id(&cert),
        };
        self.issue(run, &key, &signer)
    }

    fn issue(&self, run: &mut dyn Runtime, key: &PrivateKey, signer: &Signer<'_>) -> Answer {
        let create = |error: String| Fault::new(format!("error creating certificate: {error}"));
        let mut serial = [0; 16];
        random::fill(&mut random::source(run, self.function), &mut serial);
        let start = Time::at(run.world().time(self.function));
        let day = 24 * 3600;
        let end = Time::new(
            start.unix().saturating_add(self.days.saturating_mul(day)),
            0,
            Zone::Utc,
        );
        let info = key.public_info().map_err(create)?;
        let algorithm = signer.key.signature_algorithm();
        let content = der::sequence(&[
            &der::element(0xa0, &der::integer(&[2])),
            &der::integer(&serial),
            &algorithm,
            &signer.name,
            &der::sequence(&[&time(&start).map_err(create)?, &time(&end).map_err(create)?]),
            &self.subject(),
            &info,
            &self.extensions(&info, signer).map_err(create)?,
        ]);
        let signature = signer.key.sign(&content).map_err(create)?;
        let cert = der::sequence(&[&content, &algorithm, &der::bits(&signature)]);
        let key = key.to_pem().map_err(create)?;
        Ok(value(pem::encode("CERTIFICATE", &cert), key))
    }

    /// The subject: a common name, if there is one.
    fn subject(&self) -> Vec<u8> {
        const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];
        if self.common_name.is_empty() {
            return der::sequence(&[]);
        }
        let printable = |byte: &u8| byte.is_ascii_alphanumeric() || b" '()+,-./:=?".contains(byte);
        let tag = if self.common_name.iter().all(printable) {
            0x13
        } else {
            0x0c
        };
        let name = der::element(tag, self.common_name);
        let pair = der::sequence(&[&der::oid(COMMON_NAME), &name]);
        der::sequence(&[&der::element(0x31, &pair)])
    }

    fn extensions(&self, info: &[u8], signer: &Signer<'_>) -> Result<Vec<u8>, String> {
        // Digital signature, key encipherment, and certificate signing for an authority.
        let usage: &[u8] = if self.authority {
            &[0x03, 0x02, 0x02, 0xa4]
        } else {
            &[0x03, 0x02, 0x05, 0xa0]
        };
        const SERVER: &[u8] = &[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x01];
        const CLIENT: &[u8] = &[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x02];
        let purposes = der::sequence(&[&der::oid(SERVER), &der::oid(CLIENT)]);
        let constraints = der::sequence(&[if self.authority { der::TRUE } else { &[] }]);
        let mut all = vec![
            extension(15, true, usage),
            extension(37, false, &purposes),
            extension(19, true, &constraints),
        ];
        if self.authority {
            all.push(extension(14, false, &der::octets(&key_id(info)?)));
        }
        if let Some(id) = &signer.key_id
            && signer.name != self.subject()
        {
            let id = der::sequence(&[&der::element(0x80, id)]);
            all.push(extension(35, false, &id));
        }
        if !self.addresses.is_empty() || !self.dns_names.is_empty() {
            let names = self.alternative_names()?;
            all.push(extension(17, self.common_name.is_empty(), &names));
        }
        Ok(der::element(0xa3, &der::sequence(&[&all.concat()])))
    }

    fn alternative_names(&self) -> Result<Vec<u8>, String> {
        let mut names = Vec::new();
        for name in &self.dns_names {
            if !name.is_ascii() {
                let name = quoted(name);
                return Err(format!("x509: {name} cannot be encoded as an IA5String"));
            }
            names.extend(der::element(0x82, name));
        }
        for address in &self.addresses {
            names.extend(match address.to_canonical() {
                IpAddr::V4(address) => der::element(0x87, &address.octets()),
                IpAddr::V6(address) => der::element(0x87, &address.octets()),
            });
        }
        Ok(der::sequence(&[&names]))
    }
}

/// An extension of arc 2.5.29.
fn extension(number: u8, critical: bool, content: &[u8]) -> Vec<u8> {
    der::sequence(&[
        &der::oid(&[0x55, 0x1d, number]),
        if critical { der::TRUE } else { &[] },
        &der::octets(content),
    ])
}

/// The identifier that Go gives the key of an authority: part of a hash of the public key.
fn key_id(info: &[u8]) -> Result<Vec<u8>, String> {
    let info = x509_cert::spki::SubjectPublicKeyInfoRef::try_from(info)
        .map_err(|error| error.to_string())?;
    let hash = Sha256::digest(info.subject_public_key.raw_bytes());
    Ok(hash[..20].to_vec())
}

/// The subject key identifier of a certificate.
fn subject_key_id(cert: &x509_cert::Certificate) -> Option<Vec<u8>> {
    use x509_cert::der::asn1::OctetString;
    let extensions = cert.tbs_certificate.extensions.as_ref()?;
    let found = extensions
        .iter()
        .find(|extension| extension.extn_id.to_string() == "2.5.29.14")?;
    let id = OctetString::from_der(found.extn_value.as_bytes()).ok()?;
    Some(id.as_bytes().to_vec())
}

/// A point in time as certificates write it.
fn time(time: &Time) -> Result<Vec<u8>, String> {
    match time.civil().year {
        1950..2050 => Ok(der::element(0x17, &layout::format(time, b"060102150405Z"))),
        0..10_000 => Ok(der::element(
            0x18,
            &layout::format(time, b"20060102150405Z"),
        )),
        _ => Err("asn1: structure error: cannot represent time as GeneralizedTime".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{call, fails, value};
    use crate::value::Value;
    use x509_cert::der::{DecodePem, Encode};

    fn field(certificate: &Value, name: &str) -> String {
        let Value::Object(object) = certificate else {
            unreachable!("certificates are objects")
        };
        let field = object.field(name.as_bytes()).unwrap();
        call("toString", &[field])
    }

    #[test]
    fn signs_with_an_authority() {
        let key = call("genPrivateKey", &["ecdsa".into()]);
        let ca = value(
            "genCAWithKey",
            &["my-ca".into(), Value::int(30), key.clone().into()],
        );
        assert_eq!(
            call("typeOf", std::slice::from_ref(&ca)),
            "sprig.certificate"
        );
        assert_eq!(field(&ca, "Key"), key);
        let names = Value::list(vec!["a.example".into(), "b.example".into()]);
        let addresses = Value::list(vec!["10.0.0.1".into(), "::1".into()]);
        let leaf_key = call("genPrivateKey", &["ed25519".into()]);
        let leaf = value(
            "genSignedCertWithKey",
            &[
                "leaf".into(),
                addresses,
                names,
                Value::int(365),
                ca.clone(),
                leaf_key.into(),
            ],
        );
        let ca = x509_cert::Certificate::from_pem(field(&ca, "Cert")).unwrap();
        let leaf = x509_cert::Certificate::from_pem(field(&leaf, "Cert")).unwrap();
        assert_eq!(leaf.tbs_certificate.issuer, ca.tbs_certificate.subject);
        assert_eq!(leaf.tbs_certificate.subject.to_string(), "CN=leaf");
        assert_eq!(
            leaf.tbs_certificate.validity.not_before.to_string(),
            "2026-03-04T05:06:07Z"
        );
        assert_eq!(
            leaf.tbs_certificate.validity.not_after.to_string(),
            "2027-03-04T05:06:07Z"
        );
        let ids: Vec<String> = leaf
            .tbs_certificate
            .extensions
            .as_ref()
            .unwrap()
            .iter()
            .map(|extension| extension.extn_id.to_string())
            .collect();
        assert_eq!(
            ids,
            [
                "2.5.29.15",
                "2.5.29.37",
                "2.5.29.19",
                "2.5.29.35",
                "2.5.29.17"
            ]
        );
        verify(&leaf, &ca);
        verify(&ca, &ca);
    }

    fn verify(cert: &x509_cert::Certificate, signer: &x509_cert::Certificate) {
        use p256::ecdsa::signature::Verifier;
        use p256::pkcs8::DecodePublicKey;
        let info = signer
            .tbs_certificate
            .subject_public_key_info
            .to_der()
            .unwrap();
        let key = p256::ecdsa::VerifyingKey::from_public_key_der(&info).unwrap();
        let signature = p256::ecdsa::Signature::from_der(cert.signature.raw_bytes()).unwrap();
        let content = cert.tbs_certificate.to_der().unwrap();
        key.verify(&content, &signature).unwrap();
    }

    #[test]
    fn makes_keys_that_can_be_read() {
        for (kind, label) in [("ecdsa", "EC PRIVATE KEY"), ("ed25519", "PRIVATE KEY")] {
            let key = call("genPrivateKey", &[kind.into()]);
            assert!(
                key.starts_with(&format!("-----BEGIN {label}-----\n")),
                "{key}"
            );
            let again = value(
                "genCAWithKey",
                &["x".into(), Value::int(1), key.clone().into()],
            );
            assert_eq!(field(&again, "Key"), key);
        }
        assert_eq!(call("genPrivateKey", &["foo".into()]), "Unknown type foo");
    }

    #[test]
    fn complains_as_sprig_does() {
        let none = || Value::list(Vec::new());
        let self_signed = |ips: Value, names: Value| {
            fails(
                "genSelfSignedCert",
                &["x".into(), ips, names, Value::int(1)],
            )
        };
        let list = |item: Value| Value::list(vec![item]);
        assert_eq!(
            self_signed(list(Value::int(1)), none()),
            "error parsing ip: 1 is not a string"
        );
        assert_eq!(
            self_signed(list("1.2.3".into()), none()),
            "error parsing ip: 1.2.3"
        );
        assert_eq!(
            self_signed(none(), list(true.into())),
            "error processing alternate dns name: true is not a string"
        );
        assert_eq!(
            fails("buildCustomCert", &["aGk=".into(), "aGk=".into()]),
            "unable to decode certificate"
        );
        assert_eq!(
            fails(
                "genCAWithKey",
                &["x".into(), Value::int(1), "no key".into()]
            ),
            "parsing private key: no PEM data in input"
        );
    }
}
