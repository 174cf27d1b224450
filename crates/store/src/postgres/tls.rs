//! Whom a connection believes that it is the server, by the `sslmode` of the URL.
//!
//! As libpq has it: `prefer` and `require` encrypt and ask nobody, `verify-ca` asks for a certificate
//! that the authority has signed, `verify-full` for one that also names the host.

use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime, pem::PemObject},
};
use sqlx::{
    ConnectOptions,
    postgres::{PgConnectOptions, PgSslMode},
};
use std::{fs, sync::Arc};

/// What a client believes and shows.
pub(super) fn config(options: &PgConnectOptions) -> Result<ClientConfig, sqlx::Error> {
    build(options).map_err(sqlx::Error::Tls)
}

type Fault = Box<dyn std::error::Error + Send + Sync>;

fn build(options: &PgConnectOptions) -> Result<ClientConfig, Fault> {
    let provider = Arc::new(ring::default_provider());
    let any_name = |authority| AnyName { authority, provider: provider.clone() };
    let verifier: Arc<dyn ServerCertVerifier> = match options.get_ssl_mode() {
        PgSslMode::VerifyFull => authority(options, &provider)?,
        PgSslMode::VerifyCa => Arc::new(any_name(Some(authority(options, &provider)?))),
        _ => Arc::new(any_name(None)),
    };
    let config =
        ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    let config = config.dangerous().with_custom_certificate_verifier(verifier);
    match (pem(options, "sslcert")?, pem(options, "sslkey")?) {
        (Some(certificate), Some(key)) => {
            let chain = CertificateDer::pem_slice_iter(&certificate).collect::<Result<_, _>>();
            let chain = chain.map_err(|error| format!("sslcert: {error}"))?;
            let key = PrivateKeyDer::from_pem_slice(&key);
            let key = key.map_err(|error| format!("sslkey: {error}"))?;
            Ok(config.with_client_auth_cert(chain, key)?)
        }
        _ => Ok(config.with_no_client_auth()),
    }
}

/// The file of `sslrootcert`, or whom the machine trusts.
fn authority(
    options: &PgConnectOptions,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<WebPkiServerVerifier>, Fault> {
    let mut roots = RootCertStore::empty();
    match pem(options, "sslrootcert")? {
        Some(text) => {
            for certificate in CertificateDer::pem_slice_iter(&text) {
                roots.add(certificate.map_err(|error| format!("sslrootcert: {error}"))?)?;
            }
        }
        None => {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
    }
    let roots = Arc::new(roots);
    Ok(WebPkiServerVerifier::builder_with_provider(roots, provider.clone()).build()?)
}

/// What a parameter of the URL names: the driver gives it back as `file: PATH`, or as the PEM itself.
fn pem(options: &PgConnectOptions, name: &str) -> Result<Option<Vec<u8>>, Fault> {
    let url = options.to_url_lossy();
    let Some((_, value)) = url.query_pairs().find(|(key, _)| key == name) else { return Ok(None) };
    match value.strip_prefix("file: ") {
        Some(path) => {
            let read = fs::read(path).map_err(|error| format!("{name} {path}: {error}"))?;
            Ok(Some(read))
        }
        None => Ok(Some(value.into_owned().into_bytes())),
    }
}

/// Believes whoever the authority has signed, by whatever name; without one, anybody. In either case
/// they hold the key of the certificate they show.
#[derive(Debug)]
struct AnyName {
    authority: Option<Arc<WebPkiServerVerifier>>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for AnyName {
    fn verify_server_cert(
        &self,
        end: &CertificateDer<'_>,
        between: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let Some(authority) = &self.authority else { return Ok(ServerCertVerified::assertion()) };
        match authority.verify_server_cert(end, between, name, ocsp, now) {
            Err(Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) => Ok(ServerCertVerified::assertion()),
            verified => verified,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let schemes = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, schemes)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let schemes = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, schemes)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
