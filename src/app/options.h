// SPDX-License-Identifier: Apache-2.0
// The command line as a value. Parsing only: nothing is opened, and nothing is printed but by
// main(). The only place that sees CLI11.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <vector>

namespace weir::app {

enum class Command : uint8_t {
  kRun,
  kCheck,
  kDiff,
  kExplain,
  kSet,
  kOverrides,
  kReload,
  kStatus,
  kDrain,
  kTop,
  kOrigin,
  kVersion,
};

struct Options {
  Command command = Command::kVersion;

  std::string config;      ///< run, check, explain; and reload, status, drain, top instead of admin
  std::string old_config;  ///< diff
  std::string new_config;  ///< diff
  bool running = false;    ///< diff: the running weir against its file
  bool json = false;       ///< check, diff, status, overrides
  bool yaml = false;       ///< overrides: lines for the config
  bool verbose = false;    ///< run: debug lines too

  std::string method;                ///< explain
  std::string url;                   ///< explain
  std::vector<std::string> headers;  ///< explain: "name: value"
  bool order = false;                ///< explain: print the computed order
  std::string from;                  ///< explain: the peer's address; empty: a stranger
  std::string listener;              ///< explain: empty: the first

  std::string kind;                 ///< set; drain: empty is weir itself
  std::string name;                 ///< set, drain
  std::vector<std::string> values;  ///< set
  std::string how_long;             ///< set, drain: a duration; empty: none was given
  bool keep = false;                ///< set, drain
  bool wait = false;                ///< drain: until nothing is in flight
  std::string timeout = "60s";      ///< drain: for how long

  std::string admin = "unix:/run/weir/admin.sock";  ///< whatever asks a running weir
  uint32_t interval_ms = 1000;                      ///< top
  uint32_t rounds = 0;                              ///< top: 0 until interrupted

  std::string origin_name = "origin";  ///< origin
  std::string listen;                  ///< origin
};

/// Text to print instead of running a command: help (exit_code 0), or what is wrong with the line.
struct UsageText {
  int exit_code = 0;
  std::string text;
};

/// `arguments` without the program's name.
std::expected<Options, UsageText> parse_options(std::vector<std::string> arguments);

}  // namespace weir::app
