//! Questions over the wire, as a resolver and a client ask them.

use anyhow::{Context, ensure};
use domain::base::iana::{Class, OptRcode, Rtype};
use domain::base::message_builder::AdditionalBuilder;
use domain::base::name::Name;
use domain::base::opt::subnet::ClientSubnet;
use domain::base::{Message, MessageBuilder};
use domain::rdata::A;
use http_body_util::Empty;
use hyper::body::Bytes;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::str::FromStr;
use std::time::Duration;
use tokio::net::UdpSocket;
use tokio::time::timeout;

/// Longest wait of one question for its answer.
const ANSWER_MAX: Duration = Duration::from_secs(1);

/// Answer of the DNS server to one A question.
#[derive(Debug, Clone)]
pub(super) struct DnsAnswer {
    pub(super) addresses: Vec<Ipv4Addr>,
    /// Scope of the Client Subnet option.
    pub(super) scope: Option<u8>,
}

/// Asks for A with the client's /24 as Client Subnet. Lost datagrams are errors: on loopback none
/// is lost.
pub(super) async fn dns(
    server: SocketAddr,
    name: &str,
    client: Ipv4Addr,
) -> anyhow::Result<DnsAnswer> {
    let id = u16::from_be_bytes([client.octets()[1], client.octets()[2]]);
    let question = question(id, name, client)?;
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    socket.connect(server).await?;
    socket.send(&question).await?;
    let mut bytes = vec![0; 4096];
    let length = timeout(ANSWER_MAX, socket.recv(&mut bytes))
        .await
        .context("no answer within a second")??;
    bytes.truncate(length);
    let message =
        Message::from_octets(bytes).map_err(|_| anyhow::anyhow!("the answer is no DNS message"))?;
    ensure!(message.header().id() == id, "the answer has another id");
    ensure!(
        message.opt_rcode() == OptRcode::NOERROR,
        "the answer is {}",
        message.opt_rcode()
    );
    let answers = message.answer()?.limit_to::<A>();
    let addresses = answers
        .map(|record| Ok(record?.data().addr()))
        .collect::<anyhow::Result<Vec<_>>>()?;
    let option = message
        .opt()
        .and_then(|opt| opt.opt().first::<ClientSubnet>());
    Ok(DnsAnswer {
        addresses,
        scope: option.map(|subnet| subnet.scope_prefix_len()),
    })
}

fn question(id: u16, name: &str, client: Ipv4Addr) -> anyhow::Result<Vec<u8>> {
    let name: Name<Vec<u8>> = Name::from_str(name)?;
    let mut builder = MessageBuilder::new_vec();
    builder.header_mut().set_id(id);
    let mut builder = builder.question();
    builder.push((&name, Rtype::A, Class::IN))?;
    let mut builder: AdditionalBuilder<Vec<u8>> = builder.additional();
    builder.opt(|opt| {
        opt.set_udp_payload_size(1232);
        opt.client_subnet(
            24,
            0,
            IpAddr::V4(Ipv4Addr::from(u32::from(client) & 0xffff_ff00)),
        )
    })?;
    Ok(builder.finish())
}

/// A client of the HTTP side; each question tells whose it is in `X-Forwarded-For`.
pub(super) struct Web {
    server: SocketAddr,
    client: Client<HttpConnector, Empty<Bytes>>,
}

impl Web {
    /// A client for one server.
    pub(super) fn new(server: SocketAddr) -> Self {
        Self {
            server,
            client: Client::builder(TokioExecutor::new()).build_http(),
        }
    }

    /// The authority that a 302 leads to.
    pub(super) async fn redirect(
        &self,
        host: &str,
        path: &str,
        client: Ipv4Addr,
    ) -> anyhow::Result<String> {
        let response = self.get(host, path, client).await?;
        ensure!(
            response.status() == 302,
            "the answer is {}",
            response.status()
        );
        let location = response
            .headers()
            .get("location")
            .context("a redirect without Location")?;
        let location: hyper::Uri = location.to_str()?.parse()?;
        Ok(location
            .authority()
            .context("a Location without authority")?
            .to_string())
    }

    /// The addresses that HTTPDNS gives.
    pub(super) async fn httpdns(
        &self,
        host: &str,
        name: &str,
        client: Ipv4Addr,
    ) -> anyhow::Result<Vec<Ipv4Addr>> {
        use http_body_util::BodyExt;
        let response = self
            .get(host, &format!("/httpdns/d?host={name}&query=4"), client)
            .await?;
        ensure!(
            response.status() == 200,
            "the answer is {}",
            response.status()
        );
        let body = response.into_body().collect().await?.to_bytes();
        let answer: serde_json::Value = serde_json::from_slice(&body)?;
        let texts = answer["ips"].as_array().context("an answer without ips")?;
        texts
            .iter()
            .map(|text| {
                Ok(text
                    .as_str()
                    .context("an address that is no text")?
                    .parse()?)
            })
            .collect()
    }

    async fn get(
        &self,
        host: &str,
        path: &str,
        client: Ipv4Addr,
    ) -> anyhow::Result<hyper::Response<hyper::body::Incoming>> {
        let request = hyper::Request::get(format!("http://{}{path}", self.server))
            .header("host", host)
            .header("x-forwarded-for", client.to_string())
            .body(Empty::new())?;
        Ok(timeout(ANSWER_MAX, self.client.request(request))
            .await
            .context("no answer within a second")??)
    }
}
