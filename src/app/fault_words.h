// SPDX-License-Identifier: Apache-2.0
// A fault as operators write it: "delay=2s abort=503 percent=10". Pure; any thread.
#pragma once

#include <expected>
#include <string>
#include <string_view>

#include "base/fault_point.h"

namespace weir::app {

/// The error says what to write instead. Without percent: of all requests.
std::expected<base::Fault, std::string> parse_fault(std::string_view text);
/// In its normal form.
std::string fault_words(const base::Fault& fault);

}  // namespace weir::app
