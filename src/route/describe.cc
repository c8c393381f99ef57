// SPDX-License-Identifier: Apache-2.0
#include "route/describe.h"

namespace weir::route {

std::string host_name(const PathIndex& paths, const PathIndex::Host& host) {
  const std::string text(paths.text(host));
  return host.kind == PathIndex::HostKind::kExact ? text : "*" + text;
}

std::string describe_host(const PathIndex& paths, const PathIndex::Host& host) {
  switch (host.kind) {
    case PathIndex::HostKind::kExact:
      return host_name(paths, host) + " (exact)";
    case PathIndex::HostKind::kWildcard:
      return host_name(paths, host) + " (wildcard)";
    case PathIndex::HostKind::kAny:
      return "* (every host)";
  }
  return {};
}

std::string describe_path(const PathMatch& path) {
  switch (path.kind) {
    case PathMatch::Kind::kExact:
      return "exact " + path.value;
    case PathMatch::Kind::kRegex:
      return "regex " + path.value;
    case PathMatch::Kind::kPrefix:
      return "prefix " + path.value + " (" + std::to_string(path.value.size()) +
             (path.value.size() == 1 ? " character)" : " characters)");
  }
  return {};
}

std::string describe(const Condition& condition) {
  const ValueMatch& match = condition.config();
  const std::string name =
      (condition.on() == Condition::On::kHeader ? "header " : "query ") + match.name;
  const std::string value = '"' + match.value + '"';
  switch (match.kind) {
    case ValueMatch::Kind::kExact:
      return name + " = " + value;
    case ValueMatch::Kind::kPrefix:
      return name + " starts with " + value;
    case ValueMatch::Kind::kRegex:
      return name + " matches " + value;
    case ValueMatch::Kind::kPresent:
      return name + " is present";
  }
  return {};
}

}  // namespace weir::route
