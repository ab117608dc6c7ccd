//! What `easel serve` says to people when it has started.

use std::net::SocketAddr;

use easel_server::{Auth, Server};

use crate::output;
use crate::settings::Settings;

/// Says what a newcomer does next.
pub(super) fn greet(server: &Server, settings: &Settings) {
    let config = &settings.config;
    let address = server.address();
    let data = config.data.display();
    output::talk(format_args!(
        "easel listens on http://{address} and keeps its data in {data}"
    ));
    match (server.first_token(), config.auth) {
        (Some(token), _) => output::talk(format_args!(
            "\nFirst token, may do everything, shown this once (only its hash is kept):\n\n  {}",
            token.expose()
        )),
        (None, Auth::None) => output::talk("It asks for no token (auth = \"none\")."),
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
    output::talk(format_args!(
        "
To send Canvas's events here, in its Live Events plug-in (/plugins/live_events):
  AWS endpoint (aws_endpoint)                 {}
  Kinesis stream name (kinesis_stream_name)   {}
  AWS access key ID and secret                {keys}

Try, in another terminal:
  easel{data} emit course_created --set name=Botany
  easel{data} tail --follow
  easel{data} subscriptions add mine --webhook https://example.edu/hook
",
        from_elsewhere(address),
        config.kinesis.stream
    ));
}

/// What others connect to: no address that stands for all addresses of this machine.
fn from_elsewhere(address: SocketAddr) -> String {
    if address.ip().is_unspecified() {
        format!("http://<this host>:{}", address.port())
    } else {
        format!("http://{address}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn canvas_is_never_told_to_connect_to_every_address() {
        let told = |address: &str| from_elsewhere(address.parse().unwrap());
        assert_eq!(told("0.0.0.0:4567"), "http://<this host>:4567");
        assert_eq!(told("[::]:4567"), "http://<this host>:4567");
        assert_eq!(told("10.0.0.7:4567"), "http://10.0.0.7:4567");
    }
}
