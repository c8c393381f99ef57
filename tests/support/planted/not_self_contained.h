// SPDX-License-Identifier: Apache-2.0
// Planted for the ctest case headers_self_test: std::string is used and <string> is not included.
#pragma once

inline std::string not_self_contained() { return {}; }
