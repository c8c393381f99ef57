// SPDX-License-Identifier: Apache-2.0
#include "route/condition.h"

#include <utility>

#include "http/header_id.h"
#include "route/query.h"

namespace weir::route {

std::optional<Condition> Condition::compile(On on, const ValueMatch& config, std::string_view key,
                                            config::Diagnostics& diagnostics) {
  Condition condition(on, config);
  if (on == On::kHeader) condition.id_ = http::header_id(config.name);
  if (config.kind == ValueMatch::Kind::kRegex) {
    auto pattern = Pattern::compile(config.value);
    if (!pattern) {
      diagnostics.error(config.location, key,
                        {"the regex does not compile: " + pattern.error(),
                         "RE2 syntax; look-around and back references do not exist"});
      return std::nullopt;
    }
    condition.pattern_ = std::move(*pattern);
  }
  return condition;
}

bool Condition::holds(const RequestHead& head, base::Arena& arena) const {
  return on_ == On::kHeader ? header_holds(head.headers) : query_holds(head.query, arena);
}

bool Condition::header_holds(const HeaderList& headers) const {
  for (const Header& header : headers) {
    if (header.id != id_) continue;
    if (id_ == HeaderId::kOther && !http::iequals(header.name, config_->name)) continue;
    if (value_holds(header.value)) return true;
  }
  return false;
}

bool Condition::query_holds(std::string_view query, base::Arena& arena) const {
  QueryParameter parameter;
  while (next_parameter(query, parameter)) {
    if (!decoded_equals(parameter.name, config_->name)) continue;
    switch (config_->kind) {
      case ValueMatch::Kind::kPresent:
        return true;
      case ValueMatch::Kind::kExact:
        if (decoded_equals(parameter.value, config_->value)) return true;
        break;
      case ValueMatch::Kind::kPrefix:
        if (decoded_starts_with(parameter.value, config_->value)) return true;
        break;
      case ValueMatch::Kind::kRegex:
        if (pattern_->matches(decode(parameter.value, arena))) return true;
        break;
    }
  }
  return false;
}

bool Condition::value_holds(std::string_view value) const {
  switch (config_->kind) {
    case ValueMatch::Kind::kPresent:
      return true;
    case ValueMatch::Kind::kExact:
      return value == config_->value;
    case ValueMatch::Kind::kPrefix:
      return value.starts_with(config_->value);
    case ValueMatch::Kind::kRegex:
      return pattern_->matches(value);
  }
  return false;
}

}  // namespace weir::route
