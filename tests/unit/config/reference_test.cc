// SPDX-License-Identifier: Apache-2.0
// conf/reference.yaml, the structs and the tables of keys say the same; every file in conf/ loads.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <set>
#include <string>
#include <utility>

#include "config/schema.h"
#include "loading.h"

namespace weir::config {
namespace {

const std::string kReference = WEIR_CONF_DIR "/reference.yaml";

// The reference without a single key that has a default.
constexpr std::string_view kBare = R"yaml(
trusted_proxies: [10.0.0.0/8]
identity:
  tenant:
    - header: x-tenant-id
    - host_regex: '^([a-z0-9-]+)\.example\.com$'
    - client_cert: san
    - value: anonymous
  function: [{path_regex: '^/functions/([^/]+)'}, {route: true}]
  class: [{header: x-tenant-class}]
  priority: [{header: x-priority}]
tenants: {classes: {gold: {}}}
client_deadline: {}
region: {name: eu}
cells:
  region: eu
  assign:
    - {pins: {acme: c2}, epoch: 1}
    - {match: {headers: {x-canary: "1"}, query: {cell: canary}}, cell: c3}
    - hash: tenant
    - nearest: region
    - random: true
  circuit_breaker: {}
  members: {c1: {}, c2: {}, c3: {weight: 0, region: eu}}
limits:
  - name: per-tenant
    requests: {rate: 200/s}
    bandwidth: {rate: 10MiB/s}
    cost: {rate: 6000/m}
    cost_header: x-cost
    concurrency: {max: 64}
    classes: {gold: {requests: {rate: 1000/s}}}
  - name: per-address
    key: [client_ip]
    requests: {rate: 50/s}
    overrides: {10.0.0.1: {requests: {rate: 1000/s}}}
listeners:
  edge: {address: 0.0.0.0:8080}
  edge-tls: {address: 0.0.0.0:8443, tls: {certificates: [{cert: edge.pem, key: edge.key}]}}
clusters:
  orders:
    endpoints: [{address: 127.0.0.1:9001}]
    health_check: {http: {headers: {x-probe: weir}}}
    outlier_detection: {}
    adaptive_concurrency: {}
  orders-by-name:
    dns: {name: orders.internal, port: 80}
    protocol: auto
    health_check: {grpc: {service: orders.Orders}}
    tls: {client_cert: {cert: weir.pem, key: weir.key}}
    circuit_breaker: {fallback: {cluster: orders}}
  orders-tcp: {endpoints: [{address: 127.0.0.1:9002}], health_check: {tcp: {}}}
failover_groups:
  orders-anywhere:
    members: [{cluster: orders, capacity: 1000}, {cluster: orders-by-name, priority: 1, capacity: 200}]
releases:
  orders:
    default: orders
    rules:
      - {name: probes, tenants: [probe-1, probe-2], to: orders-by-name}
      - {match: {headers: {x-canary: "1"}, query: {version: next}}, to: orders-by-name}
      - {weight: 5%, to: orders-anywhere}
routes:
  - {name: orders, target: {cluster: orders}, hedge: {}, mirror: {cluster: orders-tcp}}
  - name: orders-canary
    match:
      path: {regex: '^/v1/orders(/.*)?$'}
      headers:
        x-canary: "1"
        x-client: shop
        x-version: {prefix: beta-}
        x-trace: {regex: '^[0-9a-f]{32}$'}
        x-debug: {present: true}
      query:
        variant: b
        color: blue
        lang: {prefix: de}
        page: {regex: '^[0-9]+$'}
        preview: {present: true}
    target:
      weighted:
        - {cluster: orders, weight: 95}
        - {cluster: orders-by-name, weight: 5}
        - {failover_group: orders-anywhere, weight: 0}
    rewrite: {regex: '^/v1', substitution: ""}
  - name: orders-anywhere
    match: {path: {prefix: /anywhere/}}
    target: {failover_group: orders-anywhere}
  - {name: orders-released, match: {path: {prefix: /released/}}, target: {release: orders}}
  - {name: health, match: {path: {exact: /health}}, target: {direct: {}}}
  - name: moved
    match: {path: {prefix: /old/}}
    target: {redirect: {scheme: https, host: www.example.com, prefix: /new/}}
  - {name: moved-page, match: {path: {exact: /page}}, target: {redirect: {path: /pages/1}}}
  - {name: legacy, match: {path: {prefix: /legacy/}}, target: {cluster: orders-tcp}, rewrite: {prefix: /}}
)yaml";

// (key, the comment above it on one line) for every key in the reference, commented-out ones too.
std::set<std::pair<std::string, std::string>> documented_keys() {
  std::ifstream file(kReference);
  std::set<std::pair<std::string, std::string>> found;
  std::string comment;
  for (std::string line; std::getline(file, line);) {
    line.erase(0, line.find_first_not_of(' '));
    const bool is_comment = line.starts_with("# ");
    std::string text = is_comment ? line.substr(2) : line;
    if (text.starts_with("- ")) text.erase(0, 2);
    const std::size_t end = text.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_");
    const bool is_key =
        end != 0 && end != std::string::npos && text[end] == ':' &&
        (!is_comment || text == "endpoints_file: orders.endpoints.yaml" ||
         text == "overrides_file: addresses.limits.yaml" || text == "tenants_file: tenants.yaml" ||
         text == "pins_file: pins.yaml" || text == "tenants_file: beta.tenants.yaml");
    if (is_key) {
      found.emplace(text.substr(0, end), std::exchange(comment, {}));
    } else if (is_comment) {
      comment += (comment.empty() ? "" : " ") + text;
    } else {
      comment.clear();
    }
  }
  return found;
}

// What the reference has to say about a key.
std::string expected_comment(const KeyInfo& key) {
  const bool bare = key.type.name == "section" || key.type.name.ends_with("of sections");
  if (bare && !key.required) return key.sentence;
  std::string text = key.sentence + " [" + key.type.name;
  if (!key.type.unit.empty()) text += " (" + key.type.unit + ")";
  if (key.required) text += "; required";
  if (!key.default_text.empty()) text += "; default " + key.default_text;
  return text + "]";
}

TEST(Reference, LoadsAndEqualsTheDefaults) {
  const LoadResult reference = load_file(kReference, test::sealed());
  ASSERT_TRUE(reference) << check_report(reference, kReference, ReportFormat::kText);
  EXPECT_EQ(test::yaml_of(reference->config), test::yaml_of(test::good(kBare)));
}

TEST(Reference, HasEveryKeyWithItsSentenceTypeAndDefault) {
  const auto documented = documented_keys();
  for (const KeyInfo& key : schema()) {
    EXPECT_TRUE(documented.contains({key.name, expected_comment(key)}))
        << key.path << " should have the comment\n# " << expected_comment(key);
  }
}

TEST(Reference, DocumentsNothingThatIsNoKey) {
  std::set<std::pair<std::string, std::string>> known;
  for (const KeyInfo& key : schema()) known.emplace(key.name, expected_comment(key));
  for (const auto& [name, comment] : documented_keys()) {
    if (comment.empty()) continue;
    EXPECT_TRUE(known.contains({name, comment})) << name << ": " << comment;
  }
}

TEST(Schema, EverySentenceIsOneSentence) {
  for (const KeyInfo& key : schema()) {
    EXPECT_TRUE(key.sentence.ends_with('.') || key.sentence.ends_with('/')) << key.path;
    EXPECT_LE(key.sentence.size(), 100U) << key.path;
    EXPECT_FALSE(key.type.name.empty()) << key.path;
  }
}

TEST(Schema, PathsAreUnique) {
  std::set<std::string> paths;
  for (const KeyInfo& key : schema()) EXPECT_TRUE(paths.insert(key.path).second) << key.path;
  EXPECT_TRUE(paths.contains("listeners.<name>.http1.keepalive_timeout"));
  EXPECT_TRUE(paths.contains("routes[].target.weighted[].weight"));
}

TEST(ConfFiles, AllLoadWithoutWarnings) {
  std::size_t count = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(WEIR_CONF_DIR)) {
    if (entry.path().extension() != ".yaml") continue;
    const LoadResult result = load_file(entry.path().string(), test::sealed());
    EXPECT_TRUE(result && result->warnings.empty())
        << check_report(result, entry.path().string(), ReportFormat::kText);
    ++count;
  }
  EXPECT_GE(count, 9U);
}

}  // namespace
}  // namespace weir::config
