//! `https://`: TLS by rustls with ring, and who is believed about a server's name.

use std::io;
use std::path::Path;
use std::sync::Arc;

use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tonic::transport::Uri;
use tower::Service;

const HTTPS_PORT: u16 = 443;

/// How one server is reached over TLS.
#[derive(Clone)]
pub(crate) struct Tls {
    connector: TlsConnector,
    name: ServerName<'static>,
    host: String,
    port: u16,
}

impl Tls {
    /// `ca_file`: who vouches for the server; else the system's authorities (or `SSL_CERT_FILE`'s) do.
    pub(crate) fn new(uri: &Uri, ca_file: Option<&Path>) -> Result<Self, String> {
        let host = uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']').to_owned();
        let name = ServerName::try_from(host.clone()).map_err(|error| format!("the host: {error}"))?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?;
        let mut config = config.with_root_certificates(authorities(ca_file)?).with_no_client_auth();
        config.alpn_protocols = vec![b"h2".to_vec()];
        let connector = TlsConnector::from(Arc::new(config));
        Ok(Self { connector, name, host, port: uri.port_u16().unwrap_or(HTTPS_PORT) })
    }

    /// What the transport connects with.
    pub(crate) fn connector(
        &self,
    ) -> impl Service<
        Uri,
        Response = TokioIo<TlsStream<TcpStream>>,
        Error = io::Error,
        Future = impl Future<Output = io::Result<TokioIo<TlsStream<TcpStream>>>> + Send,
    > + Send
    + 'static {
        let tls = self.clone();
        tower::service_fn(move |_: Uri| {
            let tls = tls.clone();
            async move { tls.connect().await.map(TokioIo::new) }
        })
    }

    async fn connect(&self) -> io::Result<TlsStream<TcpStream>> {
        let tcp = TcpStream::connect((&self.host[..], self.port)).await?;
        tcp.set_nodelay(true)?;
        let stream = self.connector.connect(self.name.clone(), tcp).await?;
        match stream.get_ref().1.alpn_protocol() {
            Some(b"h2") => Ok(stream),
            // A proxy that ends TLS and speaks HTTP/1.1 only: gRPC cannot pass it.
            _ => Err(io::Error::other("the server (or a proxy in front of it) does not offer HTTP/2 over TLS")),
        }
    }
}

fn authorities(ca_file: Option<&Path>) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    let Some(path) = ca_file else {
        let system = rustls_native_certs::load_native_certs();
        if roots.add_parsable_certificates(system.certs).0 == 0 {
            return Err("the system has no certificate authorities; CORRAL_CA_FILE may name a file of them".to_owned());
        }
        return Ok(roots);
    };
    let wrong = |error: &dyn std::fmt::Display| format!("CORRAL_CA_FILE: {}: {error}", path.display());
    let certificates = CertificateDer::pem_file_iter(path).map_err(|error| wrong(&error))?;
    for certificate in certificates {
        roots.add(certificate.map_err(|error| wrong(&error))?).map_err(|error| wrong(&error))?;
    }
    if roots.is_empty() {
        return Err(wrong(&"has no certificate in PEM"));
    }
    Ok(roots)
}
