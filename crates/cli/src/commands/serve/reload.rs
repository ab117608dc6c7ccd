//! The reload on SIGHUP: reads the settings again and applies those that need no restart.
//!
//! A reload never ends the process. If the settings have an error, nothing changes.

use easel_server::{Reloaded, Reloader};
use tracing::{error, info, warn};

use crate::commands::server_args::ServerArgs;
use crate::global_args::GlobalArgs;
use crate::settings::{Settings, setting};

/// The reload on SIGHUP.
#[derive(Debug)]
pub(super) struct Reload {
    reloader: Reloader,
    /// The settings at the start. Each reload is compared with them.
    started_with: Settings,
}

impl Reload {
    pub(super) const fn new(reloader: Reloader, started_with: Settings) -> Self {
        Self {
            reloader,
            started_with,
        }
    }

    /// Reads the settings again and applies those that need no restart.
    pub(super) async fn run(&mut self, args: &ServerArgs, global: &GlobalArgs) {
        let deliveries = self.started_with.config.deliveries;
        let prepared = args.prepare(global, Vec::new(), |config| config.deliveries = deliveries);
        let (settings, prepared) = match prepared {
            Ok(prepared) => prepared,
            Err(faults) => {
                for fault in faults.0 {
                    error!(error = %fault, "settings not re-read; nothing changed");
                }
                return;
            }
        };
        let reloaded = match self.reloader.reload(prepared).await {
            Ok(reloaded) => reloaded,
            Err(error) => {
                error!(%error, "settings not re-read; nothing changed");
                return;
            }
        };
        let Reloaded {
            changed,
            catalog_changed,
        } = reloaded;
        let mut needs_restart = self.started_with.changes_for_restart(&settings);
        if catalog_changed && !needs_restart.contains(&setting::CATALOG_FOLDER) {
            needs_restart.push(setting::CATALOG_FOLDER);
        }
        for setting in &needs_restart {
            warn!(setting, "setting changed; it needs a restart");
        }
        info!(
            changed,
            needs_restart = needs_restart.join(", "),
            "settings re-read"
        );
    }
}
