//! TLS to the database, as `sslmode` says.

use easel_keys::SecretUrl;
use easel_sink_sql::{PgConnection, PgOptions};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};

use crate::campus::local_guard;
use easel_testkit::Postgres;

/// Tries to connect. Returns the protocol of the connection, or the failure.
async fn connect(url: &str) -> Result<bool, String> {
    connect_with(url, None).await
}

/// Tries to connect with the certificates of an authority.
async fn connect_with(url: &str, ca: Option<&str>) -> Result<bool, String> {
    let options = PgOptions::new(&SecretUrl::new(url), ca, local_guard());
    let options = options.map_err(|error| error.to_string())?;
    let connection = PgConnection::open(&options)
        .await
        .map_err(|failure| failure.to_string())?;
    Ok(connection.is_encrypted().await.unwrap())
}

#[tokio::test]
async fn each_mode_checks_as_much_of_the_certificate_as_in_libpq() {
    let Some(postgres) = Postgres::start().await else {
        return;
    };
    let port = postgres.port();
    let url = |host: &str, parameters: &str| {
        format!("postgresql://easel@{host}:{port}/postgres?{parameters}")
    };
    // Without TLS at the server.
    assert_eq!(
        connect(&url("localhost", "sslmode=prefer")).await,
        Ok(false)
    );
    assert!(connect(&url("localhost", "sslmode=require")).await.is_err());

    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
    let server_key = KeyPair::generate().unwrap();
    let server = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let server = server.signed_by(&server_key, &authority).unwrap();
    postgres
        .use_certificate(&server.pem(), &server_key.serialize_pem())
        .await;
    let ca = authority.pem();

    assert_eq!(
        connect(&url("localhost", "sslmode=disable")).await,
        Ok(false)
    );
    assert_eq!(connect(&url("localhost", "sslmode=prefer")).await, Ok(true));
    assert_eq!(
        connect(&url("127.0.0.1", "sslmode=require")).await,
        Ok(true)
    );
    // The authority is not one of the system's.
    for mode in ["verify-ca", "verify-full"] {
        let failure = connect(&url("localhost", &format!("sslmode={mode}")))
            .await
            .unwrap_err();
        assert!(failure.contains("UnknownIssuer"), "{failure}");
    }
    for (host, mode, is_accepted) in [
        ("localhost", "verify-ca", true),
        ("localhost", "verify-full", true),
        ("127.0.0.1", "verify-ca", true),
        ("127.0.0.1", "verify-full", false),
    ] {
        let url = url(host, &format!("sslmode={mode}"));
        let result = connect_with(&url, Some(&ca)).await;
        assert_eq!(result.is_ok(), is_accepted, "{host} {mode}: {result:?}");
    }
}
