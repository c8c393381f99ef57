// SPDX-License-Identifier: Apache-2.0
#include "app/override_targets.h"

#include <algorithm>
#include <array>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "app/fault_words.h"
#include "config/nearest.h"
#include "config/text_check.h"
#include "config/values.h"

namespace weir::app {
namespace {

using admin::OverrideKind;
using admin::SetAnswer;
using Words = std::vector<std::string_view>;

constexpr uint16_t kUnknown = 404;
constexpr uint16_t kNotPossible = 422;
constexpr uint32_t kMostWeight = 1'000'000;  // as in the config

std::unexpected<SetAnswer> refuse(uint16_t status, std::string text) {
  return std::unexpected(SetAnswer{status, std::move(text) + "\n"});
}

std::unexpected<SetAnswer> unknown(std::string_view what, std::string_view name,
                                   const Words& known) {
  std::string text = "there is no " + std::string(what) + " `" + std::string(name) + "`";
  const std::string_view close = config::nearest(name, known);
  if (!close.empty()) text += "; did you mean `" + std::string(close) + "`?";
  const char* const are = close.empty() ? "; there are " : " There are ";
  text += known.empty() ? "; there are none" : are + config::either_of(known);
  return refuse(kUnknown, std::move(text));
}

constexpr std::array<std::string_view, 3> kStates{"ready", "drain", "maint"};
constexpr std::array<std::string_view, 5> kCellStates{"active", "draining", "drained", "fenced",
                                                      "isolated"};
constexpr std::array<std::string_view, 2> kBreakerStates{"open", "closed"};

template <typename State, size_t n>
std::optional<State> state_of(const std::array<std::string_view, n>& words,
                              const std::string& word) {
  const auto found = std::ranges::find(words, word);
  if (found == words.end()) return std::nullopt;
  return static_cast<State>(found - words.begin());
}

Words words_of(OverrideKind kind) {
  switch (kind) {
    case OverrideKind::kCell:
      return {kCellStates.begin(), kCellStates.end()};
    case OverrideKind::kBreaker:
      return {kBreakerStates.begin(), kBreakerStates.end()};
    default:
      return {kStates.begin(), kStates.end()};
  }
}

std::optional<upstream::WeightOverride> parse_weight(std::string_view text) {
  const bool percent = text.ends_with('%');
  if (percent) text.remove_suffix(1);
  const auto number = config::parse_integer(text);
  const int64_t most = percent ? 10'000 : kMostWeight;
  if (!number || *number < 0 || *number > most) return std::nullopt;
  return upstream::WeightOverride{static_cast<uint32_t>(*number), percent};
}

// It is shown in pages and in the log.
bool is_text(std::string_view name) {
  const auto control = [](unsigned char c) { return c < 0x20 || c == 0x7f; };
  return !std::ranges::any_of(name, control) && !config::find_bad_byte(name);
}

}  // namespace

bool OverrideTargets::has_breaker(const proxy::Snapshot& snapshot, const OverrideTarget& target) {
  const size_t index = snapshot.clusters->index_of(target.cluster);
  if (index >= snapshot.config->clusters.size()) return false;
  const auto& breaker = snapshot.config->clusters[index].circuit_breaker;
  const BreakerLevel level = target.part.empty() ? BreakerLevel::kCluster : BreakerLevel::kFunction;
  return breaker && std::ranges::find(breaker->per, level) != breaker->per.end();
}

// ---- Who is meant.

OverrideTargets::Found<OverrideTarget> OverrideTargets::find(std::string_view kind,
                                                             std::string_view name) const {
  if (snapshot_ == nullptr) return refuse(503, "no config is in force");
  const auto known = admin::override_kind(kind);
  if (!known) {
    Words words;
    for (size_t i = 0; i < static_cast<size_t>(OverrideKind::kCount); ++i) {
      words.push_back(admin::override_word(static_cast<OverrideKind>(i)));
    }
    return unknown("thing to be set", kind, words);
  }
  switch (*known) {
    case OverrideKind::kCluster:
      return find_cluster(*known, name);
    case OverrideKind::kCell:
      return find_cell(name);
    case OverrideKind::kBreaker:
      return find_breaker(name);
    case OverrideKind::kFault:
      return find_fault(name);
    default:
      return find_endpoint(*known, name);
  }
}

OverrideTargets::Found<OverrideTarget> OverrideTargets::find_cluster(OverrideKind kind,
                                                                     std::string_view name) const {
  if (parts_.clusters.specs(name) == nullptr) {
    Words known;
    for (const ClusterConfig& cluster : snapshot_->config->clusters) known.push_back(cluster.name);
    return unknown("cluster", name, known);
  }
  return OverrideTarget{kind, std::string(name), std::string(name), {}};
}

// CLUSTER/PART, or CLUSTER: names of clusters may have slashes as well, so the longest one counts.
OverrideTarget OverrideTargets::split(OverrideKind kind, std::string_view name) const {
  size_t end = name.size();
  while (end != std::string_view::npos && parts_.clusters.specs(name.substr(0, end)) == nullptr) {
    end = end == 0 ? std::string_view::npos : name.rfind('/', end - 1);
  }
  if (end == std::string_view::npos) end = std::min(name.find('/'), name.size());
  const std::string_view part = end == name.size() ? std::string_view() : name.substr(end + 1);
  return {kind, std::string(name), std::string(name.substr(0, end)), std::string(part)};
}

OverrideTargets::Found<OverrideTarget> OverrideTargets::find_endpoint(OverrideKind kind,
                                                                      std::string_view name) const {
  OverrideTarget target = split(kind, name);
  if (auto cluster = find_cluster(kind, target.cluster); !cluster) return cluster;
  if (target.part.empty()) {
    return refuse(kNotPossible, "`" + std::string(name) +
                                    "` is a cluster; write CLUSTER/ADDRESS, as in " +
                                    std::string(name) + "/10.0.0.1:80");
  }
  const std::string address = target.part;
  // However it is written.
  const auto parsed = config::parse_address(address);
  Words known;
  for (const upstream::EndpointSpec& spec : *parts_.clusters.specs(target.cluster)) {
    known.push_back(spec.address.text);
    if (address != spec.address.text && (!parsed || parsed->text != spec.address.text)) continue;
    target.part = spec.address.text;
    target.name = target.cluster + "/" + target.part;
    return target;
  }
  return unknown("endpoint of " + target.cluster, address, known);
}

OverrideTargets::Found<OverrideTarget> OverrideTargets::find_cell(std::string_view name) const {
  if (!snapshot_->cells) return refuse(kUnknown, "the config has no cells");
  if (snapshot_->cells->find(name) == proxy::Cells::kNone) {
    Words known;
    for (const CellConfig& cell : snapshot_->config->cells->members) known.push_back(cell.name);
    return unknown("cell", name, known);
  }
  return OverrideTarget{OverrideKind::kCell, std::string(name), {}, std::string(name)};
}

OverrideTargets::Found<OverrideTarget> OverrideTargets::find_breaker(std::string_view name) const {
  OverrideTarget target = split(OverrideKind::kBreaker, name);
  if (auto cluster = find_cluster(target.kind, target.cluster); !cluster) return cluster;
  if (breakers(target.cluster) == nullptr) {
    return refuse(kNotPossible, "cluster " + target.cluster + " has no circuit_breaker; add " +
                                    "circuit_breaker: {} to it and reload");
  }
  if (!has_breaker(*snapshot_, target)) {
    const bool own = target.part.empty();
    return refuse(kNotPossible, "cluster " + target.cluster + " has a breaker for " +
                                    (own ? "each function, and none as a whole: name one, as in " +
                                               target.cluster + "/FUNCTION"
                                         : "the whole, and none for functions: name the cluster") +
                                    ", or change circuit_breaker.per and reload");
  }
  if (!is_text(target.part)) {
    return refuse(kNotPossible, "a function's name is UTF-8 without control characters here");
  }
  target.name = target.part.empty() ? target.cluster : target.cluster + "/" + target.part;
  return target;
}

OverrideTargets::Found<OverrideTarget> OverrideTargets::find_fault(std::string_view name) const {
  if (!snapshot_->config->admin.fault_injection) {
    return refuse(kNotPossible,
                  "no faults are injected here: the config has to say "
                  "admin.fault_injection: true, for drills only");
  }
  constexpr std::string_view kOfCluster = "cluster:";
  constexpr std::string_view kOfRoute = "route:";
  if (name.starts_with(kOfCluster)) {
    auto target = find_cluster(OverrideKind::kFault, name.substr(kOfCluster.size()));
    if (target) target->name = name;
    return target;
  }
  if (!name.starts_with(kOfRoute)) {
    return refuse(kNotPossible, "write route:NAME or cluster:NAME for `" + std::string(name) + "`");
  }
  OverrideTarget target{
      OverrideKind::kFault, std::string(name), {}, std::string(name.substr(kOfRoute.size()))};
  if (fault_point(target) != nullptr) return target;
  Words known;
  for (const RouteConfig& route : snapshot_->config->routes) known.push_back(route.name);
  return unknown("route", target.part, known);
}

base::FaultPoint* OverrideTargets::fault_point(const OverrideTarget& target) const {
  if (!target.cluster.empty()) {
    upstream::Cluster* const cluster = parts_.clusters.find(target.cluster);
    return cluster == nullptr ? nullptr : &cluster->fault();
  }
  const auto& routes = snapshot_->config->routes;
  const auto found = std::ranges::find(routes, target.part, &RouteConfig::name);
  if (found == routes.end()) return nullptr;
  return &(*snapshot_->routes)[static_cast<uint32_t>(found - routes.begin())].fault();
}

// ---- What is said.

OverrideTargets::Found<std::string> OverrideTargets::read_value(const OverrideTarget& target,
                                                                std::string_view value) {
  if (target.kind == OverrideKind::kWeight) {
    if (const auto weight = parse_weight(value)) {
      return std::to_string(weight->value) + (weight->percent ? "%" : "");
    }
    return refuse(kNotPossible, "`" + std::string(value) +
                                    "` is no weight; write a number up to 1000000, a percentage "
                                    "of the configured one as in 50%, or none");
  }
  if (target.kind == OverrideKind::kFault) {
    const auto fault = parse_fault(value);
    if (fault) return fault_words(*fault);
    return refuse(kNotPossible, fault.error());
  }
  Words words = words_of(target.kind);
  if (std::ranges::find(words, value) != words.end()) return std::string(value);
  words.push_back(target.kind == OverrideKind::kBreaker ? "auto" : "none");
  return refuse(kNotPossible, "`" + std::string(value) + "` is no state for " +
                                  std::string(admin::override_word(target.kind)) + "; write " +
                                  config::either_of(words));
}

// ---- What the config says.

const upstream::EndpointSpec* OverrideTargets::spec(const OverrideTarget& target) const {
  const auto* specs = parts_.clusters.specs(target.cluster);
  if (specs == nullptr) return nullptr;
  const auto found = std::ranges::find_if(
      *specs, [&](const upstream::EndpointSpec& each) { return each.address.text == target.part; });
  return found == specs->end() ? nullptr : &*found;
}

policy::ClusterBreakers* OverrideTargets::breakers(std::string_view cluster) const {
  const size_t index = snapshot_->clusters->index_of(cluster);
  return index < snapshot_->breakers.size() ? snapshot_->breakers[index].get() : nullptr;
}

std::string OverrideTargets::configured(const OverrideTarget& target) const {
  if (!there(target)) return {};
  const upstream::EndpointSpec* const endpoint = spec(target);
  switch (target.kind) {
    case OverrideKind::kEndpoint:
      if (endpoint == nullptr) return {};
      return std::string(kStates[static_cast<size_t>(endpoint->state)]);
    case OverrideKind::kWeight:
      return endpoint == nullptr ? std::string() : std::to_string(endpoint->weight);
    case OverrideKind::kCluster: {
      const size_t index = snapshot_->clusters->index_of(target.cluster);
      return std::string(kStates[static_cast<size_t>(snapshot_->config->clusters[index].state)]);
    }
    case OverrideKind::kCell: {
      const auto& cells = *snapshot_->cells;
      return std::string(policy::state_word(cells.member(cells.find(target.name)).state));
    }
    default:
      return {};
  }
}

std::string OverrideTargets::as_yaml(const OverrideTarget& target, const std::string& value) const {
  const bool timed = target.kind == OverrideKind::kBreaker || target.kind == OverrideKind::kFault;
  if (timed || !there(target)) return {};
  const bool of_endpoint =
      target.kind == OverrideKind::kEndpoint || target.kind == OverrideKind::kWeight;
  if (!of_endpoint) return value;
  const size_t index = snapshot_->clusters->index_of(target.cluster);
  const upstream::EndpointSpec* const endpoint = spec(target);
  // The addresses that a name stands for have no lines of their own.
  if (snapshot_->config->clusters[index].dns || endpoint == nullptr) return {};
  if (target.kind == OverrideKind::kEndpoint) return value;
  return std::to_string(std::min(parse_weight(value)->of(endpoint->weight), kMostWeight));
}

bool OverrideTargets::there(const OverrideTarget& target) const {
  if (snapshot_ == nullptr) return false;
  if (target.kind == OverrideKind::kCell) {
    return snapshot_->cells && snapshot_->cells->find(target.name) != proxy::Cells::kNone;
  }
  if (target.kind == OverrideKind::kFault) {
    return snapshot_->config->admin.fault_injection && fault_point(target) != nullptr;
  }
  const size_t index = snapshot_->clusters->index_of(target.cluster);
  if (index == upstream::ClusterList::kNone) return false;
  if (target.kind == OverrideKind::kCluster) return true;
  if (target.kind == OverrideKind::kBreaker) return has_breaker(*snapshot_, target);
  // What a name no longer resolves to may come back.
  return snapshot_->config->clusters[index].dns || spec(target) != nullptr;
}

OverrideTargets::Found<uint64_t> OverrideTargets::in_flight(const OverrideTarget& target) const {
  if (target.kind == OverrideKind::kCell) return in_flight_of_cell(target.name);
  const upstream::Cluster* const cluster = parts_.clusters.find(target.cluster);
  if (target.kind == OverrideKind::kCluster) return cluster->requests();
  uint64_t sum = 0;
  std::set<const upstream::Endpoint*> seen;
  const auto published = cluster->published();
  for (const auto& member : published.endpoints->members()) {
    const upstream::Endpoint& endpoint = *member.endpoint;
    if (endpoint.text != target.part || !seen.insert(&endpoint).second) continue;
    sum += endpoint.active_requests.load(std::memory_order_relaxed);
  }
  return sum;
}

// Requests in the clusters that stand for the cell where a target names {cell}; all that there are
// in a weir that stands in the cell itself.
uint64_t OverrideTargets::in_flight_of_cell(const std::string& cell) const {
  const uint32_t index = snapshot_->cells->find(cell);
  uint64_t sum = 0;
  for (const uint32_t cluster : snapshot_->targets.in_cell[index]) {
    sum += (*snapshot_->clusters)[cluster]->requests();
  }
  return sum;
}

// ---- From now on.

void OverrideTargets::say_endpoint(const OverrideTarget& target, const std::string& state,
                                   const std::string& weight) const {
  upstream::EndpointOverride said;
  said.state = state_of<OperatorState>(kStates, state);
  if (!weight.empty()) said.weight = parse_weight(weight);
  parts_.clusters.set_endpoint(target.cluster, target.part, said);
}

void OverrideTargets::say_cluster(const OverrideTarget& target, const std::string& state) const {
  parts_.clusters.set_state(target.cluster, state_of<OperatorState>(kStates, state));
}

void OverrideTargets::say_cell(const OverrideTarget& target, const std::string& state) const {
  policy::CellRecord& record = parts_.cells.record(target.name);
  record.said = state_of<CellState>(kCellStates, state);
  if (there(target))
    record.set(snapshot_->cells->member(snapshot_->cells->find(target.name)).state);
}

void OverrideTargets::say_fault(const OverrideTarget& target, const std::string& fault) const {
  base::FaultPoint* const point = fault_point(target);
  if (point != nullptr) point->set(fault.empty() ? base::Fault{} : parse_fault(fault).value());
}

bool OverrideTargets::say_breaker(const OverrideTarget& target, const std::string& state,
                                  TimePoint until) const {
  policy::ClusterBreakers* const of = breakers(target.cluster);
  if (of == nullptr) return true;
  std::optional<policy::BreakerState> forced;
  if (!state.empty()) {
    forced = state == "open" ? policy::BreakerState::kOpen : policy::BreakerState::kClosed;
  }
  return of->force(target.part, forced, until) || !forced;
}

}  // namespace weir::app
