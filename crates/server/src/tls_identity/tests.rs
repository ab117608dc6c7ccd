//! Tests which files are accepted, and what is said about others.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use easel_testkit::{Authority, report_missing};
use jiff::ToSpan;

use super::*;

/// A folder with the files of TLS.
struct Files {
    folder: tempfile::TempDir,
}

impl Files {
    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
        }
    }

    /// Writes a file that only its owner can read.
    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        path
    }

    fn config(&self, cert: &str, key: &str) -> TlsConfig {
        TlsConfig {
            cert: Some(self.write("cert.pem", cert)),
            key: Some(self.write("key.pem", key)),
            ..TlsConfig::default()
        }
    }

    /// Returns the fault of a certificate and a key, with the name of the folder left out.
    fn fault(&self, cert: &str, key: &str) -> String {
        self.fault_of(&self.config(cert, key))
    }

    fn fault_of(&self, config: &TlsConfig) -> String {
        let fault = TlsIdentity::read(config).unwrap_err().to_string();
        let folder = format!("{}/", self.folder.path().display());
        fault.replace(&folder, "")
    }
}

#[test]
fn a_certificate_and_its_key_are_accepted_and_everything_else_is_a_fault_of_its_setting() {
    let (files, authority) = (Files::new(), Authority::new());
    let (one, other) = (authority.server(), authority.server());
    let identity = TlsIdentity::read(&files.config(&one.cert, &one.key));
    assert!(identity.unwrap().is_some());
    let chain = format!("{}{}", one.cert, authority.pem());
    assert!(TlsIdentity::read(&files.config(&chain, &one.key)).is_ok());
    // One file may have both.
    let both = format!("{}{}", one.key, chain);
    assert!(TlsIdentity::read(&files.config(&both, &both)).is_ok());

    let mismatch = "tls.key: key.pem does not belong to the certificate in cert.pem";
    assert_eq!(files.fault(&one.cert, &other.key), mismatch);
    let order = "tls.cert: cert.pem must begin with the certificate of the server; those of its \
                 authorities come after it";
    let wrong_order = format!("{}{}", authority.pem(), one.cert);
    assert_eq!(files.fault(&wrong_order, &one.key), order);
    let no_cert = "tls.cert: cert.pem has no certificate in PEM format";
    assert_eq!(files.fault("", &one.key), no_cert);
    assert_eq!(files.fault(&one.key, &one.key), no_cert);
    let no_key = "tls.key: key.pem has no private key in PEM format (PKCS#8, PKCS#1 or SEC1)";
    assert_eq!(files.fault(&one.cert, &one.cert), no_key);
    assert_eq!(files.fault(&one.cert, "hush-hush"), no_key);
    let garbage = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let fault = files.fault(garbage, &one.key);
    assert!(
        fault.starts_with("tls.cert: cert.pem has a certificate that is not X.509"),
        "{fault}"
    );
    let garbage = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
    let fault = files.fault(&one.cert, garbage);
    assert!(
        fault.starts_with("tls.key: key.pem has a private key that cannot be used"),
        "{fault}"
    );
    let cut = one.cert.replace("-----END", "");
    let fault = files.fault(&cut, &one.key);
    assert!(
        fault.starts_with("tls.cert: cert.pem is not in PEM format"),
        "{fault}"
    );
}

#[test]
fn a_setting_that_another_one_requires_is_a_fault() {
    let (files, authority) = (Files::new(), Authority::new());
    let issued = authority.server();
    let complete = files.config(&issued.cert, &issued.key);
    let fault = |change: fn(&mut TlsConfig, PathBuf)| {
        let mut config = complete.clone();
        change(&mut config, files.folder.path().join("missing"));
        files.fault_of(&config)
    };
    assert_eq!(
        fault(|config, _| config.key = None),
        "tls.key: must be set, because tls.cert is set"
    );
    assert_eq!(
        fault(|config, _| config.cert = None),
        "tls.cert: must be set, because tls.key is set"
    );
    let only_ca = |config: &mut TlsConfig, path| {
        *config = TlsConfig {
            client_ca: Some(path),
            ..TlsConfig::default()
        };
    };
    assert_eq!(
        fault(only_ca),
        "tls.cert: must be set, because tls.client_ca is set"
    );
    for change in [
        (|config, path| config.cert = Some(path)) as fn(&mut TlsConfig, PathBuf),
        |config, path| config.key = Some(path),
        |config, path| config.client_ca = Some(path),
    ] {
        let fault = fault(change);
        assert!(
            fault.ends_with("missing cannot be read: No such file or directory (os error 2)"),
            "{fault}"
        );
    }
    let fault = fault(|config, path| config.key = path.parent().map(Path::to_owned));
    assert!(fault.starts_with("tls.key: "), "{fault}");
    assert!(TlsIdentity::read(&TlsConfig::default()).unwrap().is_none());
}

#[test]
fn keys_in_every_usual_format_are_accepted_and_encrypted_keys_are_not() {
    let files = Files::new();
    let openssl = |args: &[&str]| {
        let mut command = Command::new("openssl");
        let output = command.args(args).current_dir(files.folder.path()).output();
        let output = output
            .inspect_err(|_missing| report_missing("openssl"))
            .ok()?;
        assert!(output.status.success(), "{args:?}: {output:?}");
        Some(())
    };
    for (algorithm, option) in [
        ("RSA", "rsa_keygen_bits:2048"),
        ("EC", "ec_paramgen_curve:P-256"),
        ("EC", "ec_paramgen_curve:P-384"),
        ("ED25519", ""),
    ] {
        let mut generate = vec!["genpkey", "-algorithm", algorithm, "-out", "key.pem"];
        if !option.is_empty() {
            generate.extend(["-pkeyopt", option]);
        }
        if openssl(&generate).is_none() {
            return;
        }
        let request = [
            "req",
            "-x509",
            "-key",
            "key.pem",
            "-out",
            "cert.pem",
            "-subj",
            "/CN=easel",
        ];
        openssl(&request).unwrap();
        let text = |name: &str| fs::read_to_string(files.folder.path().join(name)).unwrap();
        let (cert, key) = (text("cert.pem"), text("key.pem"));
        assert!(key.contains("BEGIN PRIVATE KEY"), "PKCS#8");
        let read = TlsIdentity::read(&files.config(&cert, &key));
        assert!(read.is_ok(), "{algorithm} {option}: {read:?}");
        if algorithm != "ED25519" {
            openssl(&["pkey", "-in", "key.pem", "-traditional", "-out", "old.pem"]).unwrap();
            let old = text("old.pem");
            assert!(old.contains("BEGIN RSA PRIVATE KEY") || old.contains("BEGIN EC PRIVATE KEY"));
            let read = TlsIdentity::read(&files.config(&cert, &old));
            assert!(read.is_ok(), "{algorithm} {option}: {read:?}");
        }
        let encrypt = [
            "pkey",
            "-in",
            "key.pem",
            "-aes256",
            "-passout",
            "pass:hush",
            "-out",
            "locked.pem",
        ];
        openssl(&encrypt).unwrap();
        assert_eq!(
            files.fault(&cert, &text("locked.pem")),
            "tls.key: key.pem is encrypted with a password; store the key without one"
        );
    }
}

#[test]
fn a_certificate_outside_its_period_and_a_public_key_are_warnings() {
    let (files, authority) = (Files::new(), Authority::new());
    let issued = authority.issue(|params| {
        params.not_before = rcgen::date_time_ymd(2026, 1, 1);
        params.not_after = rcgen::date_time_ymd(2026, 3, 1);
    });
    let config = files.config(&issued.cert, &issued.key);
    let identity = TlsIdentity::read(&config).unwrap().unwrap();
    let cert = config.cert.as_ref().unwrap().display();
    let warnings = |time: &str| identity.warnings(time.parse().unwrap());
    assert_eq!(
        warnings("2025-12-31T23:59:59Z"),
        [format!(
            "tls.cert: the certificate in {cert} is not valid before 2026-01-01T00:00:00Z"
        )]
    );
    let quiet: [String; 0] = [];
    assert_eq!(warnings("2026-01-01T00:00:00Z"), quiet);
    assert_eq!(warnings("2026-02-15T00:00:00Z"), quiet);
    assert_eq!(
        warnings("2026-02-15T00:00:01Z"),
        [format!(
            "tls.cert: a certificate in {cert} expires at 2026-03-01T00:00:00Z"
        )]
    );
    assert_eq!(
        warnings("2026-03-01T00:00:00Z"),
        [format!(
            "tls.cert: a certificate in {cert} expired at 2026-03-01T00:00:00Z"
        )]
    );

    let now = identity.expires_at.checked_sub(720.hours()).unwrap();
    let key = config.key.as_ref().unwrap();
    for (mode, count) in [(0o600, 0), (0o640, 0), (0o604, 1), (0o644, 1)] {
        fs::set_permissions(key, fs::Permissions::from_mode(mode)).unwrap();
        let identity = TlsIdentity::read(&config).unwrap().unwrap();
        assert_eq!(identity.warnings(now).len(), count, "{mode:o}");
    }
    assert!(!format!("{identity:?}").contains("PRIVATE"), "{identity:?}");
}
