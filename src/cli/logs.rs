//! `logs`: what the pods of an app write.

use super::{Context, Error, Exit, flags, project, target};
use crate::deploy::{self, Tail};
use crate::event::{Event, Sink};
use crate::ui::{LogFormat, Progress, Ui};
use tokio_util::sync::CancellationToken;

/// Show the logs of the pods of an app
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:
  windlass logs                       # the app of windlass.yaml
  windlass logs -f my-app -m 'web-*' -c nginx
  windlass logs my-app --lines all --pod-tag=false > app.log")]
pub(super) struct Args {
    #[command(flatten)]
    name: flags::Name,
    /// Go on with what is still to be written, also by pods still to come
    #[arg(short = 'f', long)]
    follow: bool,
    /// How many of the last lines of each container, or `all`
    #[arg(long, value_name = "N", default_value = "10", value_parser = lines)]
    lines: Lines,
    /// Only these containers
    #[arg(
        short,
        long,
        alias = "container-name",
        value_name = "NAME",
        value_delimiter = ','
    )]
    container: Vec<String>,
    /// Only pods whose names match, with `*` for any text
    #[arg(
        short = 'm',
        long,
        value_name = "PATTERN",
        default_value = "",
        hide_default_value = true
    )]
    pod_name: String,
    /// Begin each line with pod and container
    #[arg(long, value_name = flags::SWITCH, default_value_t = true, action = clap::ArgAction::Set)]
    pod_tag: bool,
    #[command(flatten)]
    cluster: flags::Cluster,
}

/// How many lines; all without a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Lines(Option<usize>);

/// Reads a number, `all` or kapp's `-1`.
fn lines(text: &str) -> Result<Lines, String> {
    match text {
        "all" | "-1" => Ok(Lines(None)),
        _ => match text.parse() {
            Ok(number) => Ok(Lines(Some(number))),
            Err(_) => Err("expected a number of lines, or `all`".to_owned()),
        },
    }
}

pub(super) async fn run(args: &Args, context: &Context) -> Result<Exit, Error> {
    let request = project::of_app(&args.name, context)?;
    let target = target::connect(&request, &args.cluster, context).await?;
    let wanted = Tail {
        follow: args.follow,
        lines: args.lines.0,
        containers: args.container.clone(),
        pods: args.pod_name.clone(),
    };
    let mut writer = Writer {
        ui: context.ui,
        tag: args.pod_tag,
        json: (context.log_format == LogFormat::Json).then(|| context.progress()),
        failed: None,
        broken: CancellationToken::new(),
    };
    let broken = writer.broken.clone();
    let told = deploy::tail(&target.cluster, &target.app, &wanted, &mut writer);
    let ended = tokio::select! {
        ended = target.deadline.bound(told) => ended,
        () = broken.cancelled() => Ok(()),
    };
    if let Some(failed) = writer.failed {
        return Err(failed.into());
    }
    ended?;
    Ok(Exit::Done)
}

/// Writes lines to stdout: they are the data of this subcommand.
struct Writer {
    ui: Ui,
    tag: bool,
    json: Option<Progress>,
    failed: Option<std::io::Error>,
    /// Cancelled when nobody reads any longer.
    broken: CancellationToken,
}

impl Sink for Writer {
    fn emit(&mut self, event: Event) {
        if let Some(json) = &mut self.json {
            return json.emit(event);
        }
        let Event::Log {
            pod,
            container,
            line,
        } = event
        else {
            return;
        };
        let tag = format!("{} > {container} | ", pod.name);
        let tag = if self.tag { tag.as_str() } else { "" };
        let written = self.ui.data(format!("{tag}{line}\n").as_bytes());
        if let Err(error) = written {
            self.failed.get_or_insert(error);
            self.broken.cancel();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Lines, lines};

    #[test]
    fn lines_are_a_number_or_all() {
        assert_eq!(lines("5"), Ok(Lines(Some(5))));
        assert_eq!(lines("all"), Ok(Lines(None)));
        assert_eq!(lines("-1"), Ok(Lines(None)));
        assert!(lines("many").is_err());
    }
}
