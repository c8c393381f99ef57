// SPDX-License-Identifier: Apache-2.0
#include "route/route.h"

#include <string>
#include <utility>
#include <variant>

#include "base/account.h"
#include "base/block.h"
#include "http/uri.h"

namespace weir::route {
namespace {

constexpr std::size_t kScratchBlock = 4096;

std::string key_of(const RouteConfig& config, std::string_view rest) {
  return "routes." + config.name + "." + std::string(rest);
}

std::optional<Pattern> compile_pattern(std::string_view text, const SourceLocation& at,
                                       std::string_view key, config::Diagnostics& diagnostics) {
  auto pattern = Pattern::compile(text);
  if (pattern) return std::move(*pattern);
  diagnostics.error(at, key,
                    {"the regex does not compile: " + pattern.error(),
                     "RE2 syntax; look-around and back references do not exist"});
  return std::nullopt;
}

// Whether a path of the config is in the form in which all requests are compared and forwarded.
bool check_path(std::string_view path, const SourceLocation& at, std::string_view key,
                config::Diagnostics& diagnostics) {
  if (!path.starts_with('/')) {
    diagnostics.error(at, key, {"the path must begin with '/'", ""});
    return false;
  }
  base::Account account;
  base::BlockPool pool(kScratchBlock, 0);
  base::Arena arena(pool, account);
  const auto normal = http::normalise_path(path, arena);
  if (normal && *normal == path) return true;
  std::string hint = "paths are compared after normalisation";
  if (normal) hint += "; write " + std::string(*normal);
  diagnostics.error(at, key, {"no request can have this path", std::move(hint)});
  return false;
}

}  // namespace

static RouteConfig mirror_of(const RouteConfig& config) {
  RouteConfig out;
  out.name = config.name;
  out.target = ClusterTarget{config.mirror->cluster};
  out.rewrite.host = config.rewrite.host;
  out.limits = {0, 0};
  out.retry.num_retries = 0;
  out.retry.on = {};
  return out;
}

std::shared_ptr<const Route> Route::compile(const RouteConfig& config, std::uint32_t index,
                                            config::Diagnostics& diagnostics) {
  auto route = std::make_shared<Route>(Private{}, config, index);
  if (config.mirror) {
    route->mirror_ = std::make_shared<Route>(Private{}, mirror_of(config), index);
  }
  bool ok = route->compile_patterns(diagnostics);
  ok = route->compile_conditions(diagnostics) && ok;
  ok = route->check_paths(diagnostics) && ok;
  ok = route->compile_header_ops(diagnostics) && ok;
  return ok ? route : nullptr;
}

Route::Route(Private, const RouteConfig& config, std::uint32_t index)
    : config_(config), index_(index), methods_(config.match.methods) {}

const HashOn& Route::sticky() const {
  static const HashOn kNobody;
  const auto* weighted = std::get_if<WeightedTarget>(&config_.target);
  return weighted != nullptr ? weighted->hash_on : kNobody;
}

bool Route::compile_patterns(config::Diagnostics& diagnostics) {
  bool ok = true;
  const PathMatch& path = config_.match.path;
  if (path.kind == PathMatch::Kind::kRegex) {
    path_pattern_ = compile_pattern(path.value, path.location, key_of(config_, "match.path.regex"),
                                    diagnostics);
    ok = path_pattern_.has_value();
  }
  const Rewrite& rewrite = config_.rewrite;
  if (rewrite.regex.empty()) return ok;
  const std::string key = key_of(config_, "rewrite.regex");
  rewrite_pattern_ = compile_pattern(rewrite.regex, rewrite.location, key, diagnostics);
  if (!rewrite_pattern_) return false;
  std::string wrong = rewrite_pattern_->check_substitution(rewrite.substitution);
  if (wrong.empty()) return ok;
  diagnostics.error(rewrite.location, key, {"the substitution cannot be used: " + wrong, ""});
  return false;
}

bool Route::compile_conditions(config::Diagnostics& diagnostics) {
  bool ok = true;
  const auto compile_all = [&](Condition::On on, const std::vector<ValueMatch>& matches,
                               std::string_view key) {
    for (const ValueMatch& match : matches) {
      auto condition = Condition::compile(
          on, match, key_of(config_, std::string(key) + "." + match.name), diagnostics);
      ok = ok && condition.has_value();
      if (condition) conditions_.push_back(std::move(*condition));
    }
  };
  conditions_.reserve(config_.match.headers.size() + config_.match.query.size());
  compile_all(Condition::On::kHeader, config_.match.headers, "match.headers");
  compile_all(Condition::On::kQuery, config_.match.query, "match.query");
  return ok;
}

bool Route::check_paths(config::Diagnostics& diagnostics) const {
  const PathMatch& path = config_.match.path;
  bool ok = true;
  const auto check = [&](std::string_view value, const SourceLocation& at, std::string_view key) {
    ok = check_path(value, at, key_of(config_, key), diagnostics) && ok;
  };
  if (path.kind == PathMatch::Kind::kExact) check(path.value, path.location, "match.path.exact");
  if (path.kind == PathMatch::Kind::kPrefix) check(path.value, path.location, "match.path.prefix");
  const auto check_replacement = [&](const std::optional<std::string>& value,
                                     const SourceLocation& at, std::string_view key) {
    if (!value) return;
    if (path.kind == PathMatch::Kind::kRegex) {
      diagnostics.error(at, key_of(config_, key),
                        {"a regex matches no prefix that could be replaced", "use rewrite.regex"});
      ok = false;
    } else if (!value->empty()) {
      check(*value, at, key);
    }
  };
  check_replacement(config_.rewrite.prefix, config_.rewrite.location, "rewrite.prefix");
  if (const auto* redirect = std::get_if<RedirectTarget>(&config_.target)) {
    check_replacement(redirect->prefix, config_.target_location, "target.redirect.prefix");
    if (!redirect->path.empty()) {
      check(redirect->path, config_.target_location, "target.redirect.path");
    }
  }
  return ok;
}

bool Route::compile_header_ops(config::Diagnostics& diagnostics) {
  const std::string request_key = key_of(config_, "headers.request");
  const std::string response_key = key_of(config_, "headers.response");
  bool ok =
      request_ops_.compile(config_.request_headers, {config_.location, request_key}, diagnostics);
  ok = response_ops_.compile(config_.response_headers, {config_.location, response_key},
                             diagnostics) &&
       ok;
  const auto* direct = std::get_if<DirectTarget>(&config_.target);
  if (direct == nullptr) return ok;
  const std::string key = key_of(config_, "target.direct.headers");
  for (const auto& [name, value] : direct->headers) {
    ok = check_header_op(name, value, {config_.target_location, key}, diagnostics) && ok;
  }
  return ok;
}

}  // namespace weir::route
