// SPDX-License-Identifier: Apache-2.0
#include "route/header_ops.h"

#include <algorithm>
#include <string>
#include <utility>

#include "http/chars.h"
#include "http/header_id.h"

namespace weir::route {
namespace {

bool is_token(std::string_view name) {
  return !name.empty() &&
         std::ranges::all_of(name, [](char c) { return http::is_char(c, http::kTokenChar); });
}

bool is_field_value(std::string_view value) {
  return std::ranges::all_of(value, [](char c) { return http::is_char(c, http::kFieldChar); });
}

// What stands against an operation on that field; null if nothing does.
const char* objection(HeaderId id) {
  switch (id) {
    case HeaderId::kHost:
      return "host is changed by rewrite.host only";
    case HeaderId::kContentLength:
    case HeaderId::kTransferEncoding:
    case HeaderId::kTrailer:
      return "the framing of a message follows from its body and cannot be set";
    case HeaderId::kExpect:
      return "weir answers Expect itself";
    default:
      return http::is_hop_by_hop(id) ? "the field belongs to one connection and is weir's own"
                                     : nullptr;
  }
}

bool same_name(const Header& a, const Header& b) {
  if (a.id != b.id) return false;
  return a.id != HeaderId::kOther || http::iequals(a.name, b.name);
}

void append(HeaderList& headers, const Header& header, base::Arena& arena) {
  if (headers.push(header)) return;
  const std::size_t capacity = headers.capacity() * 2 + 8;
  HeaderList larger(arena.unset_array<Header>(capacity), capacity);
  for (const Header& old : headers) larger.push(old);
  larger.push(header);
  headers = larger;
}

void set(HeaderList& headers, const Header& header, base::Arena& arena) {
  bool placed = false;
  for (Header& old : headers) {
    if (!same_name(old, header)) continue;
    old = header;
    placed = true;
    break;
  }
  if (!placed) {
    append(headers, header, arena);
    return;
  }
  bool first = true;
  headers.remove_if([&](const Header& old) {
    if (!same_name(old, header)) return false;
    return !std::exchange(first, false);
  });
}

}  // namespace

bool check_header_op(std::string_view name, std::string_view value, const HeaderOpsPlace& place,
                     config::Diagnostics& diagnostics) {
  const std::string key = std::string(place.key) + "." + std::string(name);
  if (!is_token(name)) {
    diagnostics.error(place.location, place.key,
                      {"\"" + std::string(name) + "\" is not a header name",
                       "letters, digits and !#$%&'*+-.^_`|~"});
    return false;
  }
  if (const char* why = objection(http::header_id(name))) {
    diagnostics.error(place.location, key, {"header operations may not touch this field", why});
    return false;
  }
  if (!is_field_value(value)) {
    diagnostics.error(place.location, key, {"a header value has no control characters", ""});
    return false;
  }
  return true;
}

bool CompiledHeaderOps::compile(const HeaderOps& config, const HeaderOpsPlace& place,
                                config::Diagnostics& diagnostics) {
  bool ok = true;
  const auto add = [&](Kind kind, std::string_view name, std::string_view value) {
    ok = check_header_op(name, value, place, diagnostics) && ok;
    ops_.push_back({kind, {name, value, http::header_id(name)}});
  };
  ops_.reserve(config.remove.size() + config.set.size() + config.add.size());
  for (const std::string& name : config.remove) add(Kind::kRemove, name, {});
  for (const auto& [name, value] : config.set) add(Kind::kSet, name, value);
  for (const auto& [name, value] : config.add) add(Kind::kAdd, name, value);
  return ok;
}

void CompiledHeaderOps::apply(HeaderList& headers, base::Arena& arena) const {
  for (const Op& op : ops_) {
    switch (op.kind) {
      case Kind::kRemove:
        headers.remove_if([&op](const Header& header) { return same_name(header, op.header); });
        break;
      case Kind::kSet:
        set(headers, op.header, arena);
        break;
      case Kind::kAdd:
        append(headers, op.header, arena);
        break;
    }
  }
}

}  // namespace weir::route
