//! The command line.

use clap::Parser;

use crate::commands::Command;
use crate::global_args::GlobalArgs;

const AFTER_HELP: &str = "\
First steps:
  easel demo                                   run a complete demo
  easel serve                                  start a server in this folder
  easel emit course_created --set name=Botany  send an event to it
  easel tail                                   print the newest events

Commands find a server on this machine through its data folder. For any other
server, use --url and --token.

Exit codes:
  0   success
  1   `easel status` found something that needs attention, `easel verify`
      rejected a message, or `easel audit verify` found a fault
  64  the command line is wrong
  65  the input is invalid or was rejected
  69  no server was reached, the server could not do the work, or output
      could not be written
  70  a bug in Easel
  78  a setting, the data folder or the token is wrong";

/// The open Live Events service for Canvas LMS.
#[derive(Debug, Parser)]
#[command(name = "easel", version, after_help = AFTER_HELP, max_term_width = 100)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) global: GlobalArgs,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use clap::CommandFactory;

    use super::*;
    use crate::settings::OPTION_VARIABLES;

    /// Returns the `EASEL_*` variables that set an option of `command` or of a subcommand.
    fn variables(command: &clap::Command) -> BTreeSet<String> {
        let names = command.get_arguments().filter_map(clap::Arg::get_env);
        let names = names.map(|name| name.to_string_lossy().into_owned());
        let names = names.filter(|name| name.starts_with("EASEL_"));
        names
            .chain(command.get_subcommands().flat_map(variables))
            .collect()
    }

    #[test]
    fn option_variables_lists_every_variable_of_an_option() {
        let known = OPTION_VARIABLES.map(str::to_owned);
        assert_eq!(variables(&Args::command()), BTreeSet::from(known));
    }
}
