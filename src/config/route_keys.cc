// SPDX-License-Identifier: Apache-2.0
// Keys of a route, but for what it matches (match_keys.cc) and where it ends (target_keys.cc).
#include <algorithm>

#include "config/http_words.h"
#include "config/keys.h"
#include "config/lists.h"
#include "config/scalars.h"

namespace weir::config {

namespace {

constexpr Millis kMaxBackoff = std::chrono::minutes{1};

const Words<RetryOn> kRetryOn{{"connect_failure", RetryOn::kConnectFailure},
                              {"reset_before_response", RetryOn::kResetBeforeResponse},
                              {"refused_stream", RetryOn::kRefusedStream},
                              {"grpc_unavailable", RetryOn::kGrpcUnavailable},
                              {"429", RetryOn::k429},
                              {"500", RetryOn::k500},
                              {"502", RetryOn::k502},
                              {"503", RetryOn::k503},
                              {"504", RetryOn::k504}};

// The set as a list of words.
CodecPtr<RetryOnSet> retry_on() {
  return via<RetryOnSet, std::vector<RetryOn>>(
      list_of(enumeration(kRetryOn)),
      [](const RetryOnSet& set) {
        std::vector<RetryOn> list;
        for (const auto& [word, condition] : kRetryOn) {
          if (set.contains(condition)) list.push_back(condition);
        }
        return list;
      },
      [](Reader&, NodeId, std::vector<RetryOn>&& list, RetryOnSet& set) {
        set = RetryOnSet();
        for (const RetryOn condition : list) set.insert(condition);
      });
}

CodecPtr<RetryBackoff> backoff_section() {
  using S = RetryBackoff;
  return section<S>(
      {
          key("base", &S::base, duration(Zero::kRefused, Millis{1}, kMaxBackoff),
              "The first wait is drawn from 0 to this, and each further one from twice as much."),
          key("max", &S::max, duration(Zero::kRefused, Millis{1}, kMaxBackoff),
              "No wait is longer."),
      },
      [](Reader& reader, NodeId id, S& value) {
        if (value.base <= value.max) return;
        reader.error(id, {"`base` is longer than `max`", "raise max or lower base"});
      });
}

CodecPtr<RetryBudget> budget_section() {
  using S = RetryBudget;
  return section<S>({
      key("percent", &S::percent, share(Share::percent(1000)),
          "Retries, relative to the cluster's requests: those in flight, and those of the last "
          "10 s."),
      key("min", &S::min, count<std::uint32_t>(0, 1'000'000),
          "Retries that are always allowed: in flight at once, and a second, saved up for 10 s."),
  });
}

CodecPtr<RouteLimits> limits_section() {
  using S = RouteLimits;
  return section<S>({
      key("max_request_bytes", &S::max_request_bytes, size(Zero::kOff),
          "The longest request body; beyond it 413; 0 for no limit."),
      key("max_response_bytes", &S::max_response_bytes, size(Zero::kOff),
          "The longest response body; beyond it 502, or a reset when it has begun; 0 for no "
          "limit."),
  });
}

CodecPtr<GrpcConfig> grpc_section() {
  using S = GrpcConfig;
  return section<S>({
      key("web", &S::web, boolean(), "Translate gRPC-Web requests to gRPC."),
      key("max_timeout", &S::max_timeout, or_word("null", duration(Zero::kRefused)),
          "The most that grpc-timeout may ask for; null for no limit."),
  });
}

ScalarPtr<HostRewrite> host_rewrite() {
  using Kind = HostRewrite::Kind;
  ScalarSpec<HostRewrite> spec;
  spec.type = {"`keep`, `cluster` or a host", {}};
  spec.parse = [](const std::string& text) -> Parsed<HostRewrite> {
    if (text == "keep") return HostRewrite{Kind::kKeep, {}};
    if (text == "cluster") return HostRewrite{Kind::kCluster, {}};
    auto host = host_and_port()->spec().parse(text);
    if (host) return HostRewrite{Kind::kLiteral, std::move(*host)};
    return std::unexpected(std::move(host.error()));
  };
  spec.format = [](const HostRewrite& value) {
    if (value.kind == Kind::kLiteral) return text_scalar(value.literal);
    return text_scalar(value.kind == Kind::kCluster ? "cluster" : "keep");
  };
  return scalar(std::move(spec));
}

void check_rewrite(Reader& reader, NodeId id, Rewrite& rewrite) {
  const auto has = [&](std::string_view key) { return reader.find(id, key) != Document::kNone; };
  if (has("prefix") && has("regex")) {
    reader.error(id, {"`prefix` and `regex` exclude each other", "keep one of them"});
  }
  if (has("regex") != has("substitution")) {
    reader.error(id, {"`regex` and `substitution` come together",
                      "write regex: '^/v1/(.*)' and substitution: '/\\1'"});
  }
  if (has("regex")) rewrite.location = reader.document().location(reader.find(id, "regex"));
}

// `headers: {request: ..., response: ...}` over two members of the route.
struct HeaderKeys {
  HeaderOps request;
  HeaderOps response;
};

class HeadersKey : public Key<RouteConfig> {
 public:
  HeadersKey()
      : Key("headers", "What is changed in the headers of request and response.",
            KeyUse::kOptional) {}

  void read(Reader& reader, NodeId id, RouteConfig& route) const override {
    const Reader::Step step(reader, name());
    HeaderKeys keys;
    codec_->read(reader, id, keys);
    route.request_headers = std::move(keys.request);
    route.response_headers = std::move(keys.response);
  }
  void write(Emitter& emitter, const RouteConfig& route) const override {
    emitter.key(name());
    codec_->write(emitter, keys_of(route));
  }
  void compare(Changes& changes, const RouteConfig& before,
               const RouteConfig& after) const override {
    const Changes::Step step(changes, name());
    codec_->compare(changes, keys_of(before), keys_of(after));
  }
  void describe(Catalog& catalog, const RouteConfig& defaults) const override {
    const std::string outer = catalog.path;
    catalog.path += "." + std::string(name());
    catalog.add(
        KeyInfo{{}, std::string(name()), codec_->type(), {}, std::string(sentence()), false});
    codec_->describe(catalog, keys_of(defaults));
    catalog.path = outer;
  }

 private:
  static HeaderKeys keys_of(const RouteConfig& route) {
    return {route.request_headers, route.response_headers};
  }

  CodecPtr<HeaderKeys> codec_ = section<HeaderKeys>({
      key("request", &HeaderKeys::request, header_ops_section(), "On the way to the cluster."),
      key("response", &HeaderKeys::response, header_ops_section(), "On the way to the client."),
  });
};

void check_connect(Reader& reader, NodeId id, const RouteConfig& route) {
  const auto has = [](const std::vector<std::string>& list, std::string_view word) {
    return std::find(list.begin(), list.end(), word) != list.end();
  };
  if (!has(route.match.methods, "CONNECT") || has(route.upgrades, "connect")) return;
  const Reader::Step match(reader, "match");
  const Reader::Step methods(reader, "methods");
  reader.error(reader.find(reader.find(id, "match"), "methods"),
               {"CONNECT is refused where the route does not allow it", "add upgrades: [connect]"});
}

void check_upgrades(Reader& reader, NodeId id, const RouteConfig& route) {
  if (route.upgrades.empty()) return;
  const NodeId list = reader.find(id, "upgrades");
  if (!is_forwarded(route.target)) {
    const Reader::Step step(reader, "upgrades");
    reader.error(list, {"weir answers this route itself, so there is nobody to talk to",
                        "take upgrades out, or send the route to a cluster"});
  }
  if (route.buffer_request) {
    const Reader::Step step(reader, "upgrades");
    reader.error(list, {"`buffer_request` would wait for the end of a body that has none",
                        "take buffer_request out, or give upgrades a route of their own"});
  }
  if (route.timeout) {
    const Reader::Step step(reader, "timeout");
    reader.warning(
        reader.find(id, "timeout"),
        {"it ends upgraded connections as well, however busy they are",
         "give upgrades a route without a timeout; upgrade_idle_timeout ends idle ones"});
  }
}

void check_route(Reader& reader, NodeId id, RouteConfig& route) {
  const NodeId target = reader.find(id, "target");
  if (target != Document::kNone) {
    NodeId cluster = reader.find(target, "cluster");
    if (cluster == Document::kNone) cluster = reader.find(target, "failover_group");
    if (cluster == Document::kNone) cluster = reader.find(target, "release");
    route.target_location =
        reader.document().location(cluster == Document::kNone ? target : cluster);
  }
  const bool replaces_prefix = route.rewrite.prefix.has_value();
  const auto* redirect = std::get_if<RedirectTarget>(&route.target);
  const bool redirects_prefix = redirect != nullptr && redirect->prefix.has_value();
  if ((replaces_prefix || redirects_prefix) && route.match.path.kind == PathMatch::Kind::kRegex) {
    const Reader::Step step(reader, replaces_prefix ? "rewrite" : "target");
    const NodeId at = reader.find(id, replaces_prefix ? "rewrite" : "target");
    reader.error(at, {"`prefix` replaces what path.prefix matched, but the path is a regex",
                      "match path: {prefix: ...}, or rewrite with regex and substitution"});
  }
  if (route.buffer_request && route.limits.max_request_bytes == 0) {
    reader.error(id, {"`buffer_request` without a limit could hold any amount of memory",
                      "set limits: {max_request_bytes: 1MiB}"});
  }
  if (route.hedge && !is_forwarded(route.target)) {
    const Reader::Step step(reader, "hedge");
    reader.error(reader.find(id, "hedge"),
                 {"this route answers itself, so nobody is asked twice", "remove hedge"});
  }
  if (route.mirror && !is_forwarded(route.target)) {
    const Reader::Step step(reader, "mirror");
    reader.error(
        reader.find(id, "mirror"),
        {"this route answers itself, so nothing is sent that could be copied", "remove mirror"});
  }
  check_connect(reader, id, route);
  check_upgrades(reader, id, route);
}

}  // namespace

CodecPtr<Rewrite> rewrite_section() {
  using S = Rewrite;
  static const auto table = section<S>(
      {
          key("prefix", &S::prefix, or_word("null", path()),
              "Replaces what path.prefix or path.exact matched.", KeyUse::kAlternative),
          key("regex", &S::regex, regex(),
              "An RE2 pattern; its first match in the path is replaced.", KeyUse::kAlternative),
          key("substitution", &S::substitution, text(),
              "What replaces it; \\0 is the match, \\1 to \\9 are its groups.", KeyUse::kOptional,
              [](const S& rewrite) { return rewrite.regex.empty(); }),
          key("host", &S::host, host_rewrite(),
              "The Host that the server sees: keep, cluster (its own name) or a text."),
      },
      check_rewrite);
  return table;
}

CodecPtr<RetryConfig> retry_section() {
  using S = RetryConfig;
  static const auto table = section<S>({
      key("on", &S::on, retry_on(),
          "When to try again; what may have been processed only if the method is idempotent."),
      key("num_retries", &S::num_retries, count<std::uint32_t>(0, 10),
          "Tries after the first; 0 never tries again."),
      key("per_try_timeout", &S::per_try_timeout, or_word("null", duration(Zero::kRefused)),
          "To the response head of one try; null for no limit of its own."),
      key("backoff", &S::backoff, backoff_section(), "How long to wait before trying again."),
      key("budget", &S::budget, budget_section(), "How many retries the cluster is asked to bear."),
      key("replay_buffer", &S::replay_buffer_bytes, size(Zero::kOff, 1, 16 * 1024 * 1024),
          "A request body up to this is kept for a retry; a longer one streams on without."),
  });
  return table;
}

CodecPtr<RouteConfig> route_section() {
  using S = RouteConfig;
  static const auto table = section<S>(
      {
          key("name", &S::name, name(), "Its name in logs, metrics and `weir explain`.",
              KeyUse::kRequired),
          key("match", &S::match, match_section(), "Which requests; all conditions must hold."),
          key("target", &S::target, target_section(), "Where they end.", KeyUse::kRequired),
          key("rewrite", &S::rewrite, rewrite_section(), "What the server sees instead."),
          std::make_shared<const HeadersKey>(),
          key("limits", &S::limits, limits_section(), "How long bodies may be."),
          key("timeout", &S::timeout, or_word("null", duration(Zero::kRefused)),
              "Of the whole exchange, retries included; null for none, so that streams live."),
          key("retry", &S::retry, retry_section(), "What is tried again, and how often."),
          key("hedge", &S::hedge, optional(hedge_section()),
              "A second try beside the first when that is slow, {} for the default; left out, "
              "never.",
              KeyUse::kAlternative),
          key("mirror", &S::mirror, optional(mirror_section()),
              "Requests that are copied to another cluster as well, unknown to the client.",
              KeyUse::kAlternative),
          key("upgrades", &S::upgrades, list_of(upgrade_protocol(), Repeats::kRefused),
              "Protocols that may take over, such as websocket; connect allows CONNECT."),
          key("upgrade_idle_timeout", &S::upgrade_idle_timeout, duration(Zero::kOff),
              "The longest silence, both ways, of an upgraded connection; 0 for no limit."),
          key("grpc", &S::grpc, grpc_section(), "What only gRPC has."),
          key("cells", &S::cells, route_cells_section(), "What this route does away from home."),
          key("buffer_request", &S::buffer_request, boolean(),
              "Hold the whole request body before the server sees a byte of it."),
          key("priority", &S::priority, count<std::int32_t>(-1'000'000, 1'000'000),
              "Decides between routes that match equally well; the higher wins."),
          key("shed_priority", &S::shed_priority,
              or_word("null", count<std::uint8_t>(0, kLastPriority)),
              "Under overload 0 is shed last, 5 first; where identity and class say none; null: "
              "3."),
      },
      check_route);
  return table;
}

}  // namespace weir::config
