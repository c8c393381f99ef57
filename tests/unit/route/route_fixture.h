// SPDX-License-Identifier: Apache-2.0
// A small vocabulary for the tests of routing: routes in one line, requests in one line.
#pragma once

#include <weir/config.h>
#include <weir/message.h>

#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/account.h"
#include "base/arena.h"
#include "base/block.h"
#include "config/diagnostics.h"
#include "http/header_id.h"
#include "route/methods.h"
#include "route/table.h"

namespace weir::route {

/// An arena with all that it stands on.
struct TestArena {
  base::Account account;
  base::BlockPool pool{4096, 4};
  base::Arena arena{pool, account};
};

/// A request that owns its text.
class TestRequest {
 public:
  TestRequest(std::string method, std::string host, std::string path, std::string query = {})
      : method_(std::move(method)),
        host_(std::move(host)),
        path_(std::move(path)),
        query_(std::move(query)) {}

  TestRequest& header(std::string name, std::string value) {
    fields_.emplace_back(std::move(name), std::move(value));
    return *this;
  }
  const RequestHead& head() {
    headers_.clear();
    for (const auto& [name, value] : fields_) {
      headers_.push_back({name, value, http::header_id(name)});
    }
    head_.method = method_of(method_);
    head_.method_text = method_;
    head_.scheme = "http";
    head_.authority = host_;
    head_.host = std::string_view(host_).substr(0, host_.find(':'));
    head_.path = path_;
    head_.query = query_;
    head_.has_query = !query_.empty();
    head_.headers = HeaderList(headers_.data(), headers_.size());
    for (const Header& header : headers_) head_.headers.push(header);
    return head_;
  }

 private:
  std::string method_;
  std::string host_;
  std::string path_;
  std::string query_;
  std::deque<std::pair<std::string, std::string>> fields_;
  std::vector<Header> headers_;
  RequestHead head_;
};

inline ValueMatch value_is(std::string name, std::string value) {
  return {std::move(name), ValueMatch::Kind::kExact, std::move(value), {}};
}
inline ValueMatch value_starts(std::string name, std::string value) {
  return {std::move(name), ValueMatch::Kind::kPrefix, std::move(value), {}};
}
inline ValueMatch value_regex(std::string name, std::string value) {
  return {std::move(name), ValueMatch::Kind::kRegex, std::move(value), {}};
}
inline ValueMatch value_there(std::string name) {
  return {std::move(name), ValueMatch::Kind::kPresent, "", {}};
}

/// "= /a" is exact, "~ /a.*" a regex, "/a" a prefix.
inline PathMatch path_of(std::string_view text) {
  PathMatch path;
  path.kind = PathMatch::Kind::kPrefix;
  if (text.starts_with("= ")) path.kind = PathMatch::Kind::kExact;
  if (text.starts_with("~ ")) path.kind = PathMatch::Kind::kRegex;
  path.value = path.kind == PathMatch::Kind::kPrefix ? text : text.substr(2);
  return path;
}

/// A route with a name, the hosts (none: all) and a path as path_of() reads it.
inline RouteConfig make_route(std::string name, std::vector<std::string> hosts,
                              std::string_view path) {
  RouteConfig config;
  config.name = std::move(name);
  config.match.hosts = std::move(hosts);
  config.match.path = path_of(path);
  config.target = ClusterTarget{"origin"};
  return config;
}

inline std::unique_ptr<const Table> compile(const std::vector<RouteConfig>& routes) {
  config::Diagnostics diagnostics;
  return Table::compile(routes, diagnostics);
}

/// All findings as "error: message" lines, by place.
inline std::vector<std::string> findings(const std::vector<RouteConfig>& routes) {
  config::Diagnostics diagnostics;
  diagnostics.add_source("test.yaml", "");
  (void)Table::compile(routes, diagnostics);
  std::vector<std::string> lines;
  for (const config::Diagnostic& found : diagnostics.take_sorted()) {
    const bool error = found.severity == config::Severity::kError;
    lines.push_back((error ? "error: " : "warning: ") + found.key + ": " + found.message);
  }
  return lines;
}

/// The name of the route that wins, or the reason word's place: "404", "405 GET, POST".
inline std::string winner(const Table& table, TestRequest request) {
  TestArena scratch;
  const Table::Match match = table.match(request.head(), scratch.arena);
  if (match.route != nullptr) return std::string(match.route->name());
  if (match.reason == ErrorCode::kNoRoute) return "404";
  return "405 " + std::string(match.allow);
}

}  // namespace weir::route
