// SPDX-License-Identifier: Apache-2.0
// Keys under a route's `target`: where a request ends.
#include "config/http_words.h"
#include "config/keys.h"
#include "config/lists.h"
#include "config/scalars.h"

namespace weir::config {

namespace {

constexpr std::uint32_t kMaxWeight = 1'000'000;
constexpr std::size_t kMaxDirectBody = 64 * 1024;  // more is a file, and weir serves none

// The variant as the file has it: one key of cluster, failover_group, weighted, release, direct
// and redirect.
struct TargetKeys {
  std::string cluster;
  std::string failover_group;
  std::string release;
  std::vector<WeightedCluster> weighted;
  HashOn hash_on;
  std::optional<DirectTarget> direct;
  std::optional<RedirectTarget> redirect;
};

CodecPtr<WeightedCluster> weighted_section() {
  using S = WeightedCluster;
  return section<S>(
      {
          key("cluster", &S::cluster, cluster_or_template(), "The name of a cluster.",
              KeyUse::kAlternative),
          key("failover_group", &S::group, name(), "Or that of a failover group.",
              KeyUse::kAlternative),
          key("weight", &S::weight, count<std::uint32_t>(0, kMaxWeight),
              "Its part of the requests, relative to the others.", KeyUse::kRequired),
      },
      [](Reader& reader, NodeId id, S&) {
        const bool cluster = reader.find(id, "cluster") != Document::kNone;
        if (cluster != (reader.find(id, "failover_group") != Document::kNone)) return;
        reader.error(id, {cluster ? "a part leads to one place only" : "a part that leads nowhere",
                          "write one of cluster and failover_group"});
      });
}

ScalarPtr<std::string> body() {
  return checked_text("text", [](const std::string& value) -> Parsed<std::string> {
    if (value.size() <= kMaxDirectBody) return value;
    return std::unexpected(Finding{"longer than 64KiB", "serve it from a cluster"});
  });
}

ScalarPtr<std::uint16_t> redirect_status() {
  return enumeration<std::uint16_t>(
      {{"301", 301}, {"302", 302}, {"303", 303}, {"307", 307}, {"308", 308}});
}

ScalarPtr<std::string> scheme() {
  return checked_text("`http` or `https`", [](const std::string& text) -> Parsed<std::string> {
    if (text == "http" || text == "https") return text;
    return std::unexpected(Finding{"not a scheme", "write http or https"});
  });
}

CodecPtr<RedirectTarget> redirect_section() {
  using S = RedirectTarget;
  return section<S>(
      {
          key("scheme", &S::scheme, scheme(), "http or https; left out, it stays.",
              KeyUse::kAlternative),
          key("host", &S::host, host_and_port(), "host or host:port; left out, it stays.",
              KeyUse::kAlternative),
          key("path", &S::path, path(), "Replaces the whole path; the query stays.",
              KeyUse::kAlternative),
          key("prefix", &S::prefix, or_word("null", path()),
              "Replaces what path.prefix matched; the rest of the path stays.",
              KeyUse::kAlternative),
          key("status", &S::status, redirect_status(),
              "307 and 308 keep the method, 301 and 308 are remembered by clients."),
      },
      [](Reader& reader, NodeId id, S& redirect) {
        if (!redirect.path.empty() && redirect.prefix) {
          reader.error(id, {"`path` and `prefix` exclude each other", "keep one of them"});
        }
        const bool changes = !redirect.scheme.empty() || !redirect.host.empty() ||
                             !redirect.path.empty() || redirect.prefix.has_value();
        if (changes) return;
        reader.error(id, {"a redirect to where the client already is",
                          "change at least one of scheme, host, path and prefix"});
      });
}

CodecPtr<TargetKeys> target_keys() {
  using S = TargetKeys;
  return section<S>({
      key("cluster", &S::cluster, cluster_or_template(),
          "The name of the cluster that answers; {cell} in it stands for the request's cell.",
          KeyUse::kAlternative),
      key("failover_group", &S::failover_group, name(),
          "The name of the failover group that answers.", KeyUse::kAlternative),
      key("weighted", &S::weighted,
          section_list<WeightedCluster>(weighted_section(),
                                        [](const auto& w) -> std::string_view {
                                          return w.cluster.empty() ? w.group : w.cluster;
                                        }),
          "Clusters that share the requests by weight.", KeyUse::kAlternative),
      key("hash_on", &S::hash_on, hash_on(),
          "With weighted: what stays with its cluster; null chooses at random.",
          KeyUse::kAlternative),
      key("release", &S::release, name(),
          "The name of the release that says which version answers.", KeyUse::kAlternative),
      key("direct", &S::direct, optional(direct_section()), "An answer that weir gives itself.",
          KeyUse::kAlternative),
      key("redirect", &S::redirect, optional(redirect_section()),
          "An answer that sends the client elsewhere.", KeyUse::kAlternative),
  });
}

TargetKeys to_keys(const RouteTarget& target) {
  TargetKeys keys;
  if (const auto* cluster = std::get_if<ClusterTarget>(&target)) keys.cluster = cluster->cluster;
  if (const auto* group = std::get_if<FailoverTarget>(&target)) keys.failover_group = group->group;
  if (const auto* weighted = std::get_if<WeightedTarget>(&target)) {
    keys.weighted = weighted->clusters;
    keys.hash_on = weighted->hash_on;
  }
  if (const auto* release = std::get_if<ReleaseTarget>(&target)) keys.release = release->release;
  if (const auto* direct = std::get_if<DirectTarget>(&target)) keys.direct = *direct;
  if (const auto* redirect = std::get_if<RedirectTarget>(&target)) keys.redirect = *redirect;
  return keys;
}

const std::string& place_of(const WeightedCluster& part) {
  return part.cluster.empty() ? part.group : part.cluster;
}

void check_weights(Reader& reader, NodeId list, const std::vector<WeightedCluster>& clusters) {
  if (reader.document().kind(list) != NodeKind::kList) return;
  const Reader::Step step(reader, "weighted");
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < clusters.size(); ++i) {
    sum += clusters[i].weight;
    for (std::size_t j = 0; j < i; ++j) {
      const std::string& name = place_of(clusters[i]);
      if (name.empty() || name != place_of(clusters[j])) continue;
      if (clusters[i].cluster.empty() != clusters[j].cluster.empty()) continue;
      reader.error_at(clusters[i].location,
                      {"`" + name + "` is there twice", "add the weights up in one entry"});
      break;
    }
  }
  if (sum == 0) {
    reader.error(list, {"the weights add up to 0", "give at least one cluster a weight above 0"});
  }
}

void from_keys(Reader& reader, NodeId id, TargetKeys&& keys, RouteTarget& target) {
  const auto has = [&](std::string_view key) { return reader.find(id, key) != Document::kNone; };
  int kinds = 0;
  for (const auto kind :
       {"cluster", "failover_group", "weighted", "release", "direct", "redirect"}) {
    kinds += has(kind) ? 1 : 0;
  }
  if (kinds != 1) {
    reader.error(
        id, {kinds == 0 ? "a target without a destination" : "a target has one destination only",
             "write one of cluster, failover_group, weighted, release, direct and redirect"});
    return;
  }
  if (has("hash_on") && !has("weighted")) {
    reader.error(reader.find(id, "hash_on"),
                 {"`hash_on` has no meaning without `weighted`", "take it out"});
  }
  if (has("weighted")) {
    check_weights(reader, reader.find(id, "weighted"), keys.weighted);
    target = WeightedTarget{std::move(keys.weighted), std::move(keys.hash_on)};
  } else if (has("direct")) {
    target = std::move(keys.direct).value_or(DirectTarget{});
  } else if (has("redirect")) {
    target = std::move(keys.redirect).value_or(RedirectTarget{});
  } else if (has("release")) {
    target = ReleaseTarget{std::move(keys.release)};
  } else if (has("failover_group")) {
    target = FailoverTarget{std::move(keys.failover_group)};
  } else {
    target = ClusterTarget{std::move(keys.cluster)};
  }
}

}  // namespace

CodecPtr<DirectTarget> direct_section() {
  using S = DirectTarget;
  return section<S>(
      {
          key("status", &S::status, count<std::uint16_t>(200, 599), "The status of the answer."),
          key("body", &S::body, body(), "The body of the answer, up to 64KiB."),
          key("headers", &S::headers, header_values(),
              "Headers of the answer; content-type is text/plain unless given."),
      },
      [](Reader& reader, NodeId id, S& direct) {
        // RFC 9110, 6.4.1: such an answer ends with its head.
        if (direct.body.empty() || (direct.status != 204 && direct.status != 304)) return;
        reader.error(reader.find(id, "body"),
                     {"an answer with status " + std::to_string(direct.status) + " has no body",
                      "leave body out or use another status"});
      });
}

CodecPtr<RouteTarget> target_section() {
  static const auto codec = via<RouteTarget, TargetKeys>(target_keys(), to_keys, from_keys);
  return codec;
}

}  // namespace weir::config
