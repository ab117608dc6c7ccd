//! The address of a queue: its URL, its region, and the address of the service.

use thiserror::Error;
use url::{Host, Url};

/// The region of requests to another address than that of AWS, if there is no other region. Emulators accept
/// every region.
const EMULATOR_REGION: &str = "us-east-1";

/// The address of a queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueAddress {
    queue_url: String,
    region: String,
    /// The address of the service.
    endpoint: String,
    /// `name:port` of the service.
    host: String,
    /// The URL without user, password and query, for messages.
    shown: String,
}

/// Why an address is invalid.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum QueueAddressError {
    /// The URL of the queue is invalid.
    #[error(
        "{member} must be a URL that begins with https:// or http:// and has no user and no query"
    )]
    Url {
        /// The member of the definition with the URL.
        member: &'static str,
    },
    /// The URL of the queue has no account and name.
    #[error(
        "queue_url must end with an account and the name of a queue, such as \
         https://sqs.us-east-1.amazonaws.com/111122223333/canvas-live-events"
    )]
    Path,
    /// The region is invalid.
    #[error("region must be the name of an AWS region, such as us-east-1")]
    Region,
    /// The URL of the queue is not one of AWS.
    #[error(
        "endpoint_url is required, because the host of queue_url is not one of AWS; for an emulator, it is the \
         address of the emulator, such as http://127.0.0.1:9324"
    )]
    Endpoint,
}

impl QueueAddress {
    /// Finds the address of a queue. The URL of a queue of AWS contains its region and the address of the
    /// service. For other queues, `endpoint_url` is required.
    pub fn new(
        queue_url: &str,
        region: Option<&str>,
        endpoint_url: Option<&str>,
    ) -> Result<Self, QueueAddressError> {
        let queue = parse("queue_url", queue_url)?;
        let segments = queue.path().split('/').filter(|part| !part.is_empty());
        if segments.count() < 2 {
            return Err(QueueAddressError::Path);
        }
        let found = AwsHost::parse(&queue);
        let region = region.map(str::trim).map(check_region).transpose()?;
        let (endpoint, default_region) = match (endpoint_url, found) {
            (Some(endpoint), found) => {
                let region = found.map_or_else(|| EMULATOR_REGION.to_owned(), |host| host.region);
                (parse("endpoint_url", endpoint)?, region)
            }
            (None, Some(AwsHost { endpoint, region })) => (endpoint, region),
            (None, None) => return Err(QueueAddressError::Endpoint),
        };
        let host = endpoint.host().map(|host| host.to_string());
        let host = host.unwrap_or_default();
        let port = endpoint.port_or_known_default().unwrap_or_default();
        Ok(Self {
            queue_url: queue_url.to_owned(),
            region: region.unwrap_or(default_region),
            endpoint: endpoint.as_str().trim_end_matches('/').to_owned(),
            host: format!("{host}:{port}"),
            shown: queue.as_str().to_owned(),
        })
    }

    /// Returns the URL of the queue.
    pub fn queue_url(&self) -> &str {
        &self.queue_url
    }

    /// Returns the region that signs requests.
    pub fn region(&self) -> &str {
        &self.region
    }

    /// Returns the address that requests are sent to.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Returns the host that requests are sent to, as `name:port`.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// True if the queue is a FIFO queue. Amazon requires this ending of its name.
    pub fn is_fifo(&self) -> bool {
        // The suffix is exact: SQS compares names byte by byte.
        self.queue_url.strip_suffix(".fifo").is_some()
    }
}

fn parse(member: &'static str, text: &str) -> Result<Url, QueueAddressError> {
    let invalid = || QueueAddressError::Url { member };
    let url = Url::parse(text).map_err(|_invalid| invalid())?;
    let is_http = matches!(url.scheme(), "http" | "https") && url.has_host();
    let is_plain = url.username().is_empty() && url.password().is_none() && url.query().is_none();
    if is_http && is_plain {
        Ok(url)
    } else {
        Err(invalid())
    }
}

fn check_region(region: &str) -> Result<String, QueueAddressError> {
    let is_allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if region.is_empty() || region.len() > 40 || !region.chars().all(is_allowed) {
        return Err(QueueAddressError::Region);
    }
    Ok(region.to_owned())
}

/// What the URL of a queue of AWS says.
struct AwsHost {
    endpoint: Url,
    region: String,
}

impl AwsHost {
    /// Reads hosts such as `sqs.us-east-1.amazonaws.com`, `sqs-fips.us-gov-west-1.amazonaws.com`,
    /// `vpce-1.sqs.us-east-1.vpce.amazonaws.com` and the older `us-east-1.queue.amazonaws.com`.
    fn parse(queue: &Url) -> Option<Self> {
        let Some(Host::Domain(domain)) = queue.host() else {
            return None;
        };
        let suffixes = [".amazonaws.com", ".amazonaws.com.cn", ".api.aws"];
        let rest = suffixes
            .iter()
            .find_map(|suffix| domain.strip_suffix(suffix))?;
        let labels: Vec<_> = rest.split('.').collect();
        let service = labels
            .iter()
            .position(|label| matches!(*label, "sqs" | "sqs-fips"));
        if let Some(service) = service {
            let region = labels.get(service + 1)?;
            let mut endpoint = queue.clone();
            endpoint.set_path("");
            return Some(Self {
                endpoint,
                region: check_region(region).ok()?,
            });
        }
        // The older hosts do not take the requests of today.
        let region = match labels.as_slice() {
            ["queue"] => "us-east-1",
            [region, "queue"] => region,
            _ => return None,
        };
        let suffix = domain.strip_prefix(rest)?;
        Some(Self {
            endpoint: Url::parse(&format!("https://sqs.{region}{suffix}")).ok()?,
            region: check_region(region).ok()?,
        })
    }
}

/// The URL of the queue, for messages.
impl std::fmt::Display for QueueAddress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.shown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(queue_url: &str, region: Option<&str>, endpoint: Option<&str>, wanted: [&str; 3]) {
        let address = QueueAddress::new(queue_url, region, endpoint).unwrap();
        let found = [address.endpoint(), address.region(), address.host()];
        assert_eq!(found, wanted, "{queue_url}");
    }

    #[test]
    fn the_url_of_a_queue_of_aws_names_region_and_endpoint() {
        let east = ["https://sqs.us-east-1.amazonaws.com", "us-east-1"];
        let with_host = |[endpoint, region]: [&'static str; 2], host| [endpoint, region, host];
        check(
            "https://sqs.us-east-1.amazonaws.com/1/canvas-live-events",
            None,
            None,
            with_host(east, "sqs.us-east-1.amazonaws.com:443"),
        );
        check(
            "https://queue.amazonaws.com/1/q",
            None,
            None,
            with_host(east, "sqs.us-east-1.amazonaws.com:443"),
        );
        check(
            "https://eu-west-1.queue.amazonaws.com/1/q",
            None,
            None,
            [
                "https://sqs.eu-west-1.amazonaws.com",
                "eu-west-1",
                "sqs.eu-west-1.amazonaws.com:443",
            ],
        );
        check(
            "https://sqs.cn-north-1.amazonaws.com.cn/1/q",
            None,
            None,
            [
                "https://sqs.cn-north-1.amazonaws.com.cn",
                "cn-north-1",
                "sqs.cn-north-1.amazonaws.com.cn:443",
            ],
        );
        check(
            "https://vpce-1.sqs.us-east-2.vpce.amazonaws.com/1/q",
            None,
            None,
            [
                "https://vpce-1.sqs.us-east-2.vpce.amazonaws.com",
                "us-east-2",
                "vpce-1.sqs.us-east-2.vpce.amazonaws.com:443",
            ],
        );
    }

    #[test]
    fn another_address_takes_every_region() {
        let endpoint = "http://127.0.0.1:9324";
        let host = "127.0.0.1:9324";
        let queue = "http://127.0.0.1:9324/1/q";
        let endpoint_only = [endpoint, "us-east-1", host];
        check(queue, None, Some(endpoint), endpoint_only);
        check(
            queue,
            Some("eu-west-1"),
            Some("http://127.0.0.1:9324/"),
            [endpoint, "eu-west-1", host],
        );
    }

    #[test]
    fn an_address_that_cannot_work_is_rejected() {
        let check = |queue_url: &str, region, endpoint, wanted: QueueAddressError| {
            assert_eq!(
                QueueAddress::new(queue_url, region, endpoint),
                Err(wanted),
                "{queue_url}"
            );
        };
        let queue_url = QueueAddressError::Url {
            member: "queue_url",
        };
        let endpoint_url = QueueAddressError::Url {
            member: "endpoint_url",
        };
        check("canvas-live-events", None, None, queue_url.clone());
        check("arn:aws:sqs:us-east-1:1:q", None, None, queue_url.clone());
        check(
            "https://u:p@sqs.us-east-1.amazonaws.com/1/q",
            None,
            None,
            queue_url,
        );
        let queue = "https://sqs.us-east-1.amazonaws.com/1/q";
        check(queue, None, Some("localhost"), endpoint_url);
        check(queue, Some("US"), None, QueueAddressError::Region);
        let root = "https://sqs.us-east-1.amazonaws.com/";
        check(root, None, None, QueueAddressError::Path);
        let evil = "https://sqs.us-east-1.amazonaws.com.evil.example/1/q";
        check(evil, None, None, QueueAddressError::Endpoint);
        check(
            "http://10.0.0.1/1/q",
            None,
            None,
            QueueAddressError::Endpoint,
        );
    }
}
