// SPDX-License-Identifier: Apache-2.0
// The parts of the keys of a limit, one file each: how much (limit_amount_keys.cc), for whom
// otherwise (limit_override_keys.cc). limit_keys.cc puts them together. Codecs are immutable and
// shared by everything.
#pragma once

#include "config/codec.h"
#include "config/keys.h"

namespace weir::config {

/// What a rate counts, and so how its amount is written.
enum class Unit : std::uint8_t { kCount, kBytes };

CodecPtr<RateConfig> rate_section(Unit unit);
CodecPtr<ConcurrencyConfig> concurrency_section();
CodecPtr<LimitAmounts> amounts_section();

/// From the values of a key, with commas between, to amounts.
CodecPtr<std::vector<LimitOverride>> overrides_map();
CodecPtr<std::vector<ClassOverride>> classes_map();
/// Reports those that can never match. `map` is where they stand.
void check_overrides(Reader& reader, NodeId map, const LimitConfig& limit);
/// The overrides from limit.overrides_file; errors name that file. `id` is the limit's node.
void read_overrides_file(Reader& reader, NodeId id, LimitConfig& limit);
/// The values of an override as they are written.
std::string joined(const std::vector<std::string>& values);
/// The other way: what stands between the commas.
std::vector<std::string> split_values(std::string_view text);

}  // namespace weir::config
