// SPDX-License-Identifier: Apache-2.0
#include "app/origin_request.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "config/values.h"
#include "http/header_id.h"

namespace weir::app {
namespace {

std::string_view until(std::string_view& rest, char separator) {
  const size_t end = std::min(rest.find(separator), rest.size());
  const std::string_view part = rest.substr(0, end);
  rest.remove_prefix(std::min(end + 1, rest.size()));
  return part;
}

bool is_on(std::string_view value) { return value != "0" && value != "false"; }

// False if the value does not fit the key; unknown keys fit anything.
bool apply(std::string_view key, std::string_view value, OriginOrder& order) {
  if (key == "delay") {
    const auto delay = config::parse_duration(value);
    if (delay) order.delay = *delay;
    return delay.has_value();
  }
  if (key == "status") {
    const auto status = config::parse_integer(value);
    const bool fits = status && *status >= 200 && *status <= 599;
    if (fits) order.status = static_cast<uint16_t>(*status);
    return fits;
  }
  if (key == "size") {
    auto size = config::parse_size(value);
    if (!size) {
      const auto plain = config::parse_integer(value);
      if (!plain || *plain < 0) return false;
      size = static_cast<uint64_t>(*plain);
    }
    order.size = *size;
    return true;
  }
  if (key == "reset") order.reset = is_on(value);
  if (key == "chunked") order.chunked = is_on(value);
  if (key == "trailers") order.trailers = is_on(value);
  if (key == "close") order.close = is_on(value);
  if (key == "format") order.json = value == "json";
  return true;
}

constexpr std::string_view kPathKeys[] = {"delay", "status", "size"};

void read_path(std::string_view path, OriginOrder& order) {
  std::string_view before;
  while (!path.empty()) {
    const std::string_view part = until(path, '/');
    const bool is_key = std::ranges::find(kPathKeys, before) != std::end(kPathKeys);
    if (is_key && !apply(before, part, order)) {
      order.problem = std::string(before) + " cannot be " + std::string(part);
    }
    before = part;
  }
}

}  // namespace

OriginOrder read_order(const RequestHead& head) {
  OriginOrder order;
  const Header* const accept = head.headers.find(HeaderId::kAccept);
  order.json = accept != nullptr && accept->value.find("json") != std::string_view::npos;
  read_path(head.path, order);
  std::string_view query = head.query;
  while (!query.empty()) {
    std::string_view value = until(query, '&');
    const std::string_view key = until(value, '=');
    if (!apply(key, value, order)) {
      order.problem = std::string(key) + " cannot be " + std::string(value);
    }
  }
  if (!order.problem.empty()) order.status = 400;
  return order;
}

std::string tell(const RequestHead& head, const OriginFacts& facts, bool json) {
  if (json) {
    nlohmann::ordered_json out{
        {"origin", facts.name},     {"connection", facts.connection},
        {"request", facts.request}, {"method", head.method_text},
        {"target", head.target},    {"headers", nlohmann::ordered_json::array()}};
    for (const Header& header : head.headers) {
      out["headers"].push_back({header.name, header.value});
    }
    return out.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
  }
  std::string text = "origin " + std::string(facts.name) + ", connection " +
                     std::to_string(facts.connection) + ", request " +
                     std::to_string(facts.request) + "\n\n";
  text += std::string(head.method_text) + " " + std::string(head.target) + "\n";
  for (const Header& header : head.headers) {
    text += std::string(header.name) + ": " + std::string(header.value) + "\n";
  }
  return text;
}

}  // namespace weir::app
