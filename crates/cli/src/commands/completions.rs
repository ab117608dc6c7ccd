//! `easel completions`

use clap_complete::Shell;

use crate::exit_code::Failure;
use crate::output;

const AFTER_HELP: &str = "\
Examples:
  source <(easel completions bash)
  easel completions zsh > ~/.zfunc/_easel
  easel completions fish > ~/.config/fish/completions/easel.fish";

/// Print a completion script for a shell
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct CompletionsArgs {
    /// Shell that will run the script
    shell: Shell,
}

impl CompletionsArgs {
    pub(super) fn run(self, mut command_line: clap::Command) -> Result<(), Failure> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut command_line, "easel", &mut script);
        output::with_line_break(&script)
    }
}
