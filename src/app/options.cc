// SPDX-License-Identifier: Apache-2.0
#include "app/options.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <sstream>
#include <utility>

#include "app/exit_code.h"

namespace weir::app {
namespace {

constexpr const char* kFooter =
    "Exit codes: 0 done; 1 a config has errors, or a reload or verb was refused; 2 the command "
    "line\n"
    "is wrong; 3 no weir answers on the admin socket; 4 a port, socket or file cannot be had; 5 "
    "no\n"
    "route takes the request (explain); 6 requests are still in flight (drain); 70 something was "
    "still alive at the end (a bug).\n"
    "diff, like diff(1): 0 no change, 1 changes, 2 a file cannot be read or has errors.";

class Parser {
 public:
  Parser() {
    app_.require_subcommand(1);
    app_.footer(kFooter);
    app_.set_help_all_flag("--help-all", "Help for every command");
    add_config_commands();
    add_client_commands();
    add_origin();
    add("version", Command::kVersion, "Print the version");
  }

  std::expected<Options, UsageText> parse(std::vector<std::string> arguments) {
    // CLI11 takes the last argument first.
    std::reverse(arguments.begin(), arguments.end());
    try {
      app_.parse(std::move(arguments));
    } catch (const CLI::ParseError& error) {
      std::ostringstream text;
      const bool help = app_.exit(error, text, text) == 0;
      std::string shown = text.str();
      if (!shown.ends_with('\n')) shown += '\n';
      return std::unexpected(UsageText{help ? kExitOk : kExitUsage, std::move(shown)});
    }
    options_.json = format_ == "json";
    return options_;
  }

 private:
  CLI::App* add(const char* name, Command command, const char* about) {
    CLI::App* sub = app_.add_subcommand(name, about);
    sub->callback([this, command] { options_.command = command; });
    return sub;
  }

  void add_format(CLI::App* sub) {
    sub->add_option("--format", format_, "text or json")->check(CLI::IsMember({"text", "json"}));
    sub->add_flag_callback(
        "--json", [this] { format_ = "json"; }, "The same as --format json");
  }

  void add_config_commands() {
    CLI::App* run = add("run", Command::kRun, "Serve");
    run->add_option("-c,--config", options_.config, "The configuration file")->required();
    run->add_flag("-v,--verbose", options_.verbose, "Debug lines on standard error too");

    CLI::App* check = add("check", Command::kCheck, "Say all that is wrong with a configuration");
    check->add_option("-c,--config,file", options_.config, "The configuration file")->required();
    add_format(check);

    CLI::App* diff = add("diff", Command::kDiff, "What changes between two configurations");
    diff->add_option("old", options_.old_config, "The configuration in force");
    diff->add_option("new", options_.new_config, "The one to come");
    diff->add_flag("--running", options_.running,
                   "Instead: what the running weir has, set by hand or loaded, against its file");
    add_socket(diff);
    add_format(diff);
    diff->callback([this] {
      options_.command = Command::kDiff;
      if (options_.running != options_.new_config.empty()) {
        throw CLI::RequiredError("old and new, or --running;");
      }
    });

    CLI::App* explain =
        add("explain", Command::kExplain, "Which route takes a request, and why; nothing is sent");
    explain->add_option("-c,--config", options_.config, "The configuration file")->required();
    explain->add_option("method", options_.method, "GET, POST, ...");
    explain->add_option("url", options_.url, "http://host/path?query");
    explain->add_option("-H,--header", options_.headers, "'name: value', as often as needed")
        ->allow_extra_args(false);
    explain->add_option("--from", options_.from,
                        "The address of the peer; left out, a stranger whom nobody trusts");
    explain->add_option("--listener", options_.listener,
                        "The listener that it comes to; left out, the first");
    explain->add_flag("--order", options_.order, "Print the order in which routes are tried");
    explain->callback([this] {
      options_.command = Command::kExplain;
      if (options_.order || !options_.url.empty()) return;
      throw CLI::RequiredError("method and url, or --order;");
    });
  }

  void add_socket(CLI::App* sub) {
    sub->add_option("--admin", options_.admin, "The admin socket of the running weir")
        ->envname("WEIR_ADMIN")
        ->capture_default_str();
    sub->add_option("-c,--config", options_.config, "Its configuration, to read the socket from");
  }

  void add_client_commands() {
    const auto client = [this](const char* name, Command command, const char* about) {
      CLI::App* sub = add(name, command, about);
      add_socket(sub);
      return sub;
    };
    client("reload", Command::kReload, "Have the running weir read its configuration again");
    add_format(client("status", Command::kStatus, "What the running weir does, as tables"));
    add_set(client("set", Command::kSet, "Set by hand how the running weir serves"));
    CLI::App* overrides =
        client("overrides", Command::kOverrides, "What is set by hand, since when, until when");
    overrides->add_flag("--yaml", options_.yaml, "As lines that make it last, for the config");
    add_format(overrides);
    add_drain(client("drain", Command::kDrain,
                     "Have what is in flight finish: at the running weir, which then ends, or at "
                     "an endpoint, cluster or cell"));
    CLI::App* top = client("top", Command::kTop, "The same once a second, with rates");
    top->add_option("--interval", options_.interval_ms, "Milliseconds between two looks")
        ->check(CLI::Range(100, 60'000))
        ->capture_default_str();
    top->add_option("--rounds", options_.rounds, "End after this many; 0: until interrupted");
  }

  void add_lifetime(CLI::App* sub) {
    CLI::Option* how_long =
        sub->add_option("--for", options_.how_long, "For so long, over reloads: 30s, 5m")
            ->check([](const std::string& time) {
              return std::string(time.empty() ? "a time is missing; write it as 30s or 5m" : "");
            });
    sub->add_flag("--keep", options_.keep, "Until it is taken back, over reloads")
        ->excludes(how_long);
  }

  void add_set(CLI::App* set) {
    set->add_option("kind", options_.kind, "endpoint, weight, cluster, cell, breaker or fault")
        ->required();
    set->add_option("name", options_.name,
                    "CLUSTER/ADDRESS, CLUSTER, CELL, CLUSTER/FUNCTION, route:NAME, cluster:NAME")
        ->required();
    set->add_option("value", options_.values, "What it shall be; none takes it back")->required();
    add_lifetime(set);
    set->footer(
        "endpoint CLUSTER/ADDRESS ready|drain|maint      cluster NAME ready|drain|maint\n"
        "weight CLUSTER/ADDRESS 50 or 50%   cell NAME active|draining|drained|fenced|isolated\n"
        "breaker CLUSTER or CLUSTER/FUNCTION open|closed|auto --for 5m\n"
        "fault route:NAME or cluster:NAME delay=2s abort=503 percent=10 --for 60s\n"
        "Without --for or --keep it holds until the next reload.");
  }

  void add_drain(CLI::App* drain) {
    drain->add_option("kind", options_.kind, "endpoint, cluster or cell; left out, weir itself")
        ->check(CLI::IsMember({"endpoint", "cluster", "cell"}));
    drain->add_option("name", options_.name, "CLUSTER/ADDRESS, CLUSTER or CELL");
    CLI::Option* wait =
        drain->add_flag("--wait", options_.wait, "Until nothing is in flight there");
    drain->add_option("--timeout", options_.timeout, "Give up waiting after this")
        ->needs(wait)
        ->capture_default_str();
    add_lifetime(drain);
    drain->callback([this] {
      options_.command = Command::kDrain;
      if (options_.kind.empty() != options_.name.empty()) throw CLI::RequiredError("name;");
      if (options_.wait && options_.kind.empty())
        throw CLI::RequiredError("--wait: kind and name;");
    });
  }

  void add_origin() {
    CLI::App* origin =
        add("origin", Command::kOrigin, "A demo origin: answers with the request it saw");
    origin->add_option("--name", options_.origin_name, "What it calls itself")
        ->capture_default_str();
    origin->add_option("--listen", options_.listen, "127.0.0.1:9001 or unix:/path; port 0: any")
        ->required();
    origin->footer(
        "In the query of a request: ?delay=250ms ?status=503 ?size=1MiB ?chunked=1 ?trailers=1\n"
        "?close=1 (end the connection after the answer) ?reset=1 (instead of it). /health: 200.");
  }

  Options options_;
  std::string format_ = "text";
  CLI::App app_{"weir: a reverse proxy and API gateway", "weir"};
};

}  // namespace

std::expected<Options, UsageText> parse_options(std::vector<std::string> arguments) {
  return Parser().parse(std::move(arguments));
}

}  // namespace weir::app
