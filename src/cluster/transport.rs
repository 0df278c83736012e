//! The connections to the server: one of HTTP/2, which all requests share, and for more long streams than it bears one
//! of HTTP/1.1 each. Knows nothing of what is sent.
//!
//! The layers are those of kube's `ClientBuilder`, whose own connector asks for HTTP/1.1 alone.

use crate::percent::decode;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http::header::HeaderValue;
use http::{Request, Uri};
use hyper::rt::{Read, Write};
use hyper_rustls::{
    DefaultServerNameResolver, FixedServerNameResolver, HttpsConnector, ResolveServerName,
};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::proxy::{SocksV5, Tunnel};
use hyper_util::client::legacy::connect::{Connect, Connection, HttpConnector};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use kube::client::RustlsTlsError::InvalidServerName;
use kube::client::{Body, ClientBuilder, ConfigExt as _};
use std::sync::Arc;
use std::time::Duration;
use tower::util::{MapErrLayer, option_layer, service_fn};
use tower::{BoxError, Service};

/// Mark of a request that gets a connection of its own.
#[derive(Clone, Copy)]
pub(super) struct Alone;

/// A connection on which nothing comes for this long is asked whether it still stands.
const PING_AFTER: Duration = Duration::from_secs(30);
/// How long the answer to that may take. Both times are those of client-go.
const PING_TIMEOUT: Duration = Duration::from_secs(15);
/// How much of one answer, and of all together, may be on the way, in bytes, as in Go: a stream that nobody reads for
/// a while, such as a log, must not hold up the others.
const STREAM_WINDOW: u32 = 4 << 20;
const CONNECTION_WINDOW: u32 = 1 << 30;

/// Fetches the credentials and builds the client. Sends nothing. Blocks while a command fetches credentials.
pub(super) fn client(config: &kube::Config) -> Result<kube::Client, kube::Error> {
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    tcp.set_connect_timeout(config.connect_timeout);
    // For connections of HTTP/1.1, which know no pings.
    tcp.set_keepalive(Some(PING_AFTER));
    tcp.set_keepalive_interval(Some(PING_TIMEOUT));
    tcp.set_keepalive_retries(Some(1));
    let Some(proxy) = &config.proxy_url else {
        return over(config, tcp);
    };
    match proxy.scheme_str() {
        Some("http") => over(config, tunnel(proxy, tcp)),
        Some("https") => {
            let tls = config.rustls_https_connector_with_connector(tcp)?;
            over(config, tunnel(proxy, tls))
        }
        Some("socks5") => {
            let socks = SocksV5::new(proxy.clone(), tcp);
            match login(proxy) {
                Some((user, password)) => over(config, socks.with_auth(user, password)),
                None => over(config, socks),
            }
        }
        _ => Err(kube::Error::ProxyProtocolUnsupported {
            proxy_url: Box::new(proxy.clone()),
        }),
    }
}

/// The proxy as a connector: the bytes behind a `CONNECT` are those of the server.
fn tunnel<C>(proxy: &Uri, connector: C) -> Tunnel<C> {
    let tunnel = Tunnel::new(proxy.clone(), connector);
    let Some((user, password)) = login(proxy) else {
        return tunnel;
    };
    let basic = BASE64_STANDARD.encode(format!("{user}:{password}"));
    match HeaderValue::from_str(&format!("Basic {basic}")) {
        Ok(value) => tunnel.with_auth(value),
        Err(_) => tunnel,
    }
}

/// User and password of a proxy, as they stand in its address.
fn login(proxy: &Uri) -> Option<(String, String)> {
    let (login, _) = proxy.authority()?.as_str().rsplit_once('@')?;
    let (user, password) = login.split_once(':').unwrap_or((login, ""));
    Some((decode(user)?, decode(password)?))
}

/// The layers above a way to reach an address.
fn over<C>(config: &kube::Config, connector: C) -> Result<kube::Client, kube::Error>
where
    C: Service<Uri, Error: Into<BoxError>, Future: Send> + Clone + Send + Sync + 'static,
    C::Response: Connection + Read + Write + Send + Unpin + 'static,
{
    let auth = config.auth_layer()?;
    let mut tls = tls(config, auth.is_some())?;
    let names: Arc<dyn ResolveServerName + Send + Sync> = match &config.tls_server_name {
        Some(name) => {
            let name = name.clone().try_into().map_err(InvalidServerName);
            Arc::new(FixedServerNameResolver::new(
                name.map_err(kube::Error::RustlsTls)?,
            ))
        }
        None => Arc::new(DefaultServerNameResolver::default()),
    };
    let https = |tls, connector| HttpsConnector::new(connector, tls, false, Arc::clone(&names));
    let alone = pool(https(tls.clone(), connector.clone()));
    tls.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let shared = pool(https(tls, connector));
    let send = service_fn(move |request: Request<Body>| {
        let is_alone = request.extensions().get::<Alone>().is_some();
        if is_alone { &alone } else { &shared }.request(request)
    });
    Ok(ClientBuilder::new(send, config.default_namespace.clone())
        .with_layer(&MapErrLayer::new(BoxError::from))
        .with_layer(&config.extra_headers_layer()?)
        .with_layer(&option_layer(auth))
        .with_layer(&config.base_uri_layer())
        .build())
}

/// What the server must prove, and what we show it. A command that gave a token has no certificate to give, and is not
/// run for it a second time.
fn tls(config: &kube::Config, has_token: bool) -> Result<rustls::ClientConfig, kube::Error> {
    if !has_token || config.auth_info.exec.is_none() {
        return config.rustls_client_config();
    }
    let mut bare = config.clone();
    bare.auth_info.exec = None;
    bare.rustls_client_config()
}

fn pool<C>(connector: HttpsConnector<C>) -> Client<HttpsConnector<C>, Body>
where
    HttpsConnector<C>: Connect + Clone,
{
    Client::builder(TokioExecutor::new())
        .timer(TokioTimer::new())
        .http2_initial_stream_window_size(STREAM_WINDOW)
        .http2_initial_connection_window_size(CONNECTION_WINDOW)
        .http2_keep_alive_interval(PING_AFTER)
        .http2_keep_alive_timeout(PING_TIMEOUT)
        .build(connector)
}
