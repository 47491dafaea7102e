//! Puts load on a gRPC server and prints one line of JSON.

use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

use bytes::Bytes;
use pitcanary_load::bench::error::BenchError;
use pitcanary_load::bench::messages;
use pitcanary_load::bench::run::{Pace, Plan, Report, run};

const HELP: &str = "\
Puts load on a unary gRPC method and prints one line of JSON.

usage: pitcanary-bench --target ADDRESS --path METHOD --messages FILE [options]

  --target tcp:HOST:PORT | unix:PATH   where the server listens
  --path /package.Service/Method       what to call
  --messages FILE                      requests, each preceded by its length as a varint; used in turn
  --connections N                      connections (4)
  --in-flight N                        calls at once on each (64); 1 with --connections 1 is sequential
  --rate N                             calls per second at fixed times, instead of as many as possible
  --warm-up SECONDS                    before anything is counted (1)
  --seconds SECONDS                    in which answers are counted (3)
  --capture FILE --count N             stop after N answers and write their messages
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.iter().any(|argument| argument == "--help") {
        return print(HELP);
    }
    match Options::parse(&arguments).and_then(|options| options.run()) {
        Ok(line) => print(&line),
        Err(error) => {
            // There is nowhere left to report a closed stderr.
            let _ = writeln!(std::io::stderr(), "error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn print(text: &str) -> ExitCode {
    match std::io::stdout().write_all(text.as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

struct Options {
    plan: Plan,
    messages: String,
    capture: Option<String>,
}

impl Options {
    fn parse(arguments: &[String]) -> Result<Self, BenchError> {
        let mut options = Self {
            plan: Plan {
                target: String::new(),
                path: String::new(),
                connections: 4,
                in_flight: 64,
                pace: Pace::Saturate,
                warm_up: Duration::from_secs(1),
                measure: Duration::from_secs(3),
                capture: None,
            },
            messages: String::new(),
            capture: None,
        };
        for pair in arguments.chunks(2) {
            let [name, value] = pair else {
                return Err(BenchError::Argument(format!("`{}` needs a value", pair[0])));
            };
            options.set(name, value)?;
        }
        options.check()?;
        Ok(options)
    }

    fn set(&mut self, name: &str, value: &str) -> Result<(), BenchError> {
        let plan = &mut self.plan;
        match name {
            "--target" => value.clone_into(&mut plan.target),
            "--path" => value.clone_into(&mut plan.path),
            "--messages" => value.clone_into(&mut self.messages),
            "--connections" => plan.connections = number(name, value)?,
            "--in-flight" => plan.in_flight = number(name, value)?,
            "--rate" => {
                plan.pace = Pace::OpenLoop {
                    per_second: number(name, value)?,
                }
            }
            "--warm-up" => plan.warm_up = seconds(name, value)?,
            "--seconds" => plan.measure = seconds(name, value)?,
            "--capture" => self.capture = Some(value.to_owned()),
            "--count" => plan.capture = Some(number(name, value)?),
            _ => return Err(BenchError::Argument(format!("`{name}` is not an option"))),
        }
        Ok(())
    }

    fn check(&self) -> Result<(), BenchError> {
        for (name, value) in [
            ("--target", &self.plan.target),
            ("--path", &self.plan.path),
            ("--messages", &self.messages),
        ] {
            if value.is_empty() {
                return Err(BenchError::Argument(format!("`{name}` is missing")));
            }
        }
        if self.capture.is_some() != self.plan.capture.is_some() {
            return Err(BenchError::Argument(
                "`--capture` and `--count` need each other".to_owned(),
            ));
        }
        match self.plan.pace {
            Pace::OpenLoop { per_second } if !(per_second > 0.0 && per_second.is_finite()) => Err(
                BenchError::Argument("`--rate` is not a positive number".to_owned()),
            ),
            _ => Ok(()),
        }
    }

    fn run(&self) -> Result<String, BenchError> {
        let messages = messages::read(&self.messages)?;
        let mut table = messages.iter().cycle();
        let mut next = |output: &mut Vec<u8>| {
            output.extend_from_slice(table.next().map_or(&[], Bytes::as_ref));
        };
        let report = run(&self.plan, &mut next)?;
        if let Some(path) = &self.capture {
            messages::write(path, &report.captured)?;
        }
        Ok(json(&report))
    }
}

fn number<T: std::str::FromStr>(name: &str, value: &str) -> Result<T, BenchError> {
    value
        .parse()
        .map_err(|_| BenchError::Argument(format!("`{name} {value}` is not a number of this kind")))
}

fn seconds(name: &str, value: &str) -> Result<Duration, BenchError> {
    Duration::try_from_secs_f64(number(name, value)?)
        .map_err(|_| BenchError::Argument(format!("`{name} {value}` is not a duration")))
}

/// The report as one line of JSON; a failed call without a status counts as `-1`.
fn json(report: &Report) -> String {
    let failures: Vec<String> = report
        .failures
        .iter()
        .map(|(status, count)| format!("\"{}\":{count}", status.map_or(-1, i64::from)))
        .collect();
    let microseconds = |share| report.latency_ns.quantile(share) as f64 / 1e3;
    format!(
        "{{\"answers\":{},\"failures\":{{{}}},\"seconds\":{:.3},\"per_second\":{:.1},\
         \"p50_us\":{:.1},\"p90_us\":{:.1},\"p99_us\":{:.1},\"p999_us\":{:.1},\"max_us\":{:.1},\
         \"cpu_share\":{:.3}}}\n",
        report.answers,
        failures.join(","),
        report.seconds,
        report.per_second(),
        microseconds(0.5),
        microseconds(0.9),
        microseconds(0.99),
        microseconds(0.999),
        report.latency_ns.largest() as f64 / 1e3,
        report.cpu_share,
    )
}
