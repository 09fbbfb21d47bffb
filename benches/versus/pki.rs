//! Throw-away certificates: per key type one authority and what it issued, in a directory that ends with the run.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use openssl::asn1::Asn1Time;
use openssl::bn::{BigNum, MsbOption};
use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::rsa::Rsa;
use openssl::x509::extension::{
    BasicConstraints, ExtendedKeyUsage, KeyUsage, SubjectAlternativeName,
};
use openssl::x509::{X509, X509NameBuilder};

use crate::Failure;

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum KeyType {
    EcdsaP256,
    Rsa2048,
}

impl KeyType {
    fn generate(self) -> Result<PKey<Private>, Failure> {
        Ok(match self {
            Self::EcdsaP256 => {
                let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1)?;
                PKey::from_ec_key(EcKey::generate(&group)?)?
            }
            Self::Rsa2048 => PKey::from_rsa(Rsa::generate(2048)?)?,
        })
    }

    fn label(self) -> &'static str {
        match self {
            Self::EcdsaP256 => "ecdsa",
            Self::Rsa2048 => "rsa",
        }
    }
}

#[derive(Clone, Copy)]
pub enum Role {
    Authority,
    Server,
    Client,
    /// Stands between the authority and [`Role::ChainedClient`].
    Intermediate,
    /// Its file holds the intermediate, too.
    ChainedClient,
}

impl Role {
    fn label(self) -> &'static str {
        match self {
            Self::Authority => "ca",
            Self::Server => "server",
            Self::Client => "client",
            Self::Intermediate => "intermediate",
            Self::ChainedClient => "chained",
        }
    }
}

pub struct Pki {
    folder: PathBuf,
}

impl Pki {
    pub fn generate(key_types: &[KeyType]) -> Result<Self, Failure> {
        let folder = std::env::temp_dir().join(format!("natssl-versus-{}", std::process::id()));
        fs::create_dir_all(&folder)?;
        let pki = Self { folder };
        for &key_type in key_types {
            let authority = Identity::new(key_type, Role::Authority, None)?;
            let middle = Identity::new(key_type, Role::Intermediate, Some(&authority))?;
            for (role, issuer, above) in [
                (Role::Server, &authority, None),
                (Role::Client, &authority, None),
                (Role::ChainedClient, &middle, Some(&middle)),
            ] {
                let identity = Identity::new(key_type, role, Some(issuer))?;
                identity.write(&pki, key_type, role, above)?;
            }
            authority.write(&pki, key_type, Role::Authority, None)?;
        }
        Ok(pki)
    }

    /// Also the place of configuration files and logs.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    pub fn certificate(&self, key_type: KeyType, role: Role) -> PathBuf {
        self.folder.join(format!("{}-{}.pem", key_type.label(), role.label()))
    }

    /// The subject of the client's certificate, as servers write it.
    pub fn client_name(&self, key_type: KeyType) -> String {
        format!("CN=versus {} client", key_type.label())
    }

    pub fn key(&self, key_type: KeyType, role: Role) -> PathBuf {
        self.folder.join(format!("{}-{}.key", key_type.label(), role.label()))
    }
}

impl Drop for Pki {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

struct Identity {
    certificate: X509,
    key: PKey<Private>,
}

impl Identity {
    fn new(key_type: KeyType, role: Role, issuer: Option<&Self>) -> Result<Self, Failure> {
        let key = key_type.generate()?;
        let mut name = X509NameBuilder::new()?;
        name.append_entry_by_text("CN", &format!("versus {} {}", key_type.label(), role.label()))?;
        let name = name.build();
        let mut serial = BigNum::new()?;
        serial.rand(127, MsbOption::MAYBE_ZERO, false)?;
        let mut builder = X509::builder()?;
        builder.set_version(2)?;
        builder.set_serial_number(serial.to_asn1_integer()?.as_ref())?;
        builder.set_subject_name(&name)?;
        builder
            .set_issuer_name(issuer.map_or(&*name, |issuer| issuer.certificate.subject_name()))?;
        builder.set_pubkey(&key)?;
        builder.set_not_before(Asn1Time::days_from_now(0)?.as_ref())?;
        builder.set_not_after(Asn1Time::days_from_now(30)?.as_ref())?;
        match role {
            Role::Authority | Role::Intermediate => {
                builder.append_extension(BasicConstraints::new().critical().ca().build()?)?;
                builder.append_extension(
                    KeyUsage::new().critical().key_cert_sign().crl_sign().build()?,
                )?;
            }
            Role::Server => {
                builder.append_extension(ExtendedKeyUsage::new().server_auth().build()?)?;
                let names = SubjectAlternativeName::new()
                    .dns("localhost")
                    .ip("127.0.0.1")
                    .build(&builder.x509v3_context(None, None))?;
                builder.append_extension(names)?;
            }
            Role::Client | Role::ChainedClient => {
                builder.append_extension(ExtendedKeyUsage::new().client_auth().build()?)?
            }
        }
        builder.sign(issuer.map_or(&key, |issuer| &issuer.key), MessageDigest::sha256())?;
        Ok(Self { certificate: builder.build(), key })
    }

    /// `above`: whose certificate the file holds as well.
    fn write(
        &self,
        pki: &Pki,
        key_type: KeyType,
        role: Role,
        above: Option<&Self>,
    ) -> Result<(), Failure> {
        let mut chain = self.certificate.to_pem()?;
        if let Some(issuer) = above {
            chain.extend(issuer.certificate.to_pem()?);
        }
        fs::write(pki.certificate(key_type, role), chain)?;
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(pki.key(key_type, role))?;
        file.write_all(&self.key.private_key_to_pem_pkcs8()?)?;
        Ok(())
    }
}
