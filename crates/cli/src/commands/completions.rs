//! `easel completions`

use clap::CommandFactory;
use clap_complete::Shell;

use crate::args::Args;
use crate::exit_code::Failure;
use crate::output;

const EXAMPLES: &str = "\
Examples:
  source <(easel completions bash)
  easel completions zsh > ~/.zfunc/_easel
  easel completions fish > ~/.config/fish/completions/easel.fish";

/// Print a completion script for a shell
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct CompletionsArgs {
    shell: Shell,
}

impl CompletionsArgs {
    pub(super) fn run(self) -> Result<(), Failure> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Args::command(), "easel", &mut script);
        output::bytes(&script)
    }
}
