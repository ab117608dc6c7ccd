//! The text that `easel serve` prints after the start.

use std::net::SocketAddr;

use easel_server::{Auth, Server};

use crate::output;
use crate::settings::Settings;

/// Prints the next steps for a new user.
pub(super) fn greet(server: &Server, settings: &Settings) {
    let config = &settings.config;
    let (scheme, address) = (server.scheme(), server.address());
    let data = config.data.display();
    output::notice(format_args!(
        "easel listens on {scheme}://{address} and stores its data in {data}"
    ));
    if let Some(address) = server.metrics_address() {
        output::notice(format_args!("metrics and health: http://{address}/metrics"));
    }
    match (server.first_token(), config.auth) {
        (Some(token), _) => output::notice(format_args!(
            "\nFirst token with full access, shown only now (the server stores only its hash):\n\n  {}",
            token.expose()
        )),
        (None, Auth::None) => output::notice("No token is required (auth = \"none\")."),
        (None, Auth::Tokens) => (),
    }
    let keys = match (config.kinesis.keys.first(), config.auth) {
        (_, Auth::None) => "any; signatures are not checked".to_owned(),
        (Some(key), Auth::Tokens) => format!("{} and its secret", key.access_key_id),
        (None, Auth::Tokens) => "set a pair under [[kinesis.keys]] first".to_owned(),
    };
    let data = if settings.data_is_a_flag() {
        format!(" --data {data}")
    } else {
        String::new()
    };
    let app_host = server.app_host().map_or(String::new(), |(address, path)| {
        let address = address_for_others(scheme, address);
        format!(
            "
Canvas manages its subscriptions here with this value in its dynamic settings:
  app-host of live-events-subscription-service    {address}{path}
"
        )
    });
    output::notice(format_args!(
        "
To send Canvas's events here, set in its Live Events plugin (/plugins/live_events):
  AWS endpoint (aws_endpoint)                 {}
  Kinesis stream name (kinesis_stream_name)   {}
  AWS access key ID and secret                {keys}
{app_host}
Run in another terminal:
  easel{data} emit course_created --set name=Botany
  easel{data} tail --follow
  easel{data} subscriptions add mine --webhook https://example.edu/hook
",
        address_for_others(scheme, address),
        config.kinesis.stream
    ));
}

/// Returns the address for other machines: never the unspecified address such as 0.0.0.0.
fn address_for_others(scheme: &str, address: SocketAddr) -> String {
    if address.ip().is_unspecified() {
        format!("{scheme}://<this host>:{}", address.port())
    } else {
        format!("{scheme}://{address}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_greeting_never_shows_the_unspecified_address() {
        let shown = |address: &str| address_for_others("http", address.parse().unwrap());
        assert_eq!(shown("0.0.0.0:4567"), "http://<this host>:4567");
        assert_eq!(shown("[::]:4567"), "http://<this host>:4567");
        assert_eq!(shown("10.0.0.7:4567"), "http://10.0.0.7:4567");
    }
}
