// SPDX-License-Identifier: Apache-2.0
#include "proxy/output.h"

#include <algorithm>
#include <array>
#include <cstring>

namespace weir::proxy {

namespace {

// A TLS record that the kernel did not take whole, as BoringSSL keeps it.
constexpr size_t kRecord = 17 * 1024;

}  // namespace

using Status = net::IoResult::Status;

void Output::add(std::string_view bytes, base::Arena& arena, const Memory& memory) {
  if (bytes.empty()) return;
  if (cork_ == nullptr) cork_ = new (arena.allocate(sizeof(Cork))) Cork;
  if (cork_->count == kPieces) spill(memory);
  cork_->pieces[cork_->count++] = {const_cast<char*>(bytes.data()), bytes.size()};
}

void Output::add_copy(std::string_view bytes, base::Arena& arena, const Memory& memory) {
  if (cork_ != nullptr && cork_->scratch_used + bytes.size() > kScratch) spill(memory);
  add(bytes, arena, memory);
  if (bytes.empty()) return;
  char* copy = cork_->scratch + cork_->scratch_used;
  std::memcpy(copy, bytes.data(), bytes.size());
  cork_->scratch_used += static_cast<uint32_t>(bytes.size());
  cork_->pieces[cork_->count - 1].iov_base = copy;
}

// More pieces than the cork holds: they become a copy, in order, and the cork is free again.
void Output::spill(const Memory& memory) {
  for (uint32_t i = 0; i < cork_->count; ++i) {
    held_.append({static_cast<char*>(cork_->pieces[i].iov_base), cork_->pieces[i].iov_len},
                 memory.blocks, memory.account);
  }
  cork_->count = 0;
  cork_->scratch_used = 0;
}

void Output::charge_record(base::Account* account) {
  if (account == sealed_for_) return;
  if (sealed_for_ != nullptr) sealed_for_->refund(kRecord);
  if (account != nullptr) account->charge(kRecord);
  sealed_for_ = account;
}

bool Output::may_spill(const Memory& memory) const {
  if (memory.room == Room::kReserved) return true;
  size_t bytes = 0;
  for (uint32_t i = 0; i < cork_->count; ++i) bytes += cork_->pieces[i].iov_len;
  return memory.account.may_hold(bytes);
}

// Held bytes first. The corked pieces follow only if all that is held fits: order is everything.
size_t Output::gather(iovec* out) const {
  const size_t n = held_.fill({out, kPieces});
  size_t held = 0;
  for (size_t i = 0; i < n; ++i) held += out[i].iov_len;
  if (cork_ == nullptr || held < held_.size()) return n;
  std::copy_n(cork_->pieces, cork_->count, out + n);
  return n + cork_->count;
}

void Output::take_sent(size_t bytes, const Memory& memory) {
  const size_t from_held = std::min(bytes, held_.size());
  if (from_held > 0) held_.consume(from_held, memory.blocks);
  bytes -= from_held;
  if (cork_ == nullptr) return;
  uint32_t sent = 0;
  while (sent < cork_->count && bytes >= cork_->pieces[sent].iov_len) {
    bytes -= cork_->pieces[sent++].iov_len;
  }
  if (sent == cork_->count) {
    cork_->count = cork_->scratch_used = 0;
    return;
  }
  std::copy(cork_->pieces + sent, cork_->pieces + cork_->count, cork_->pieces);
  cork_->count -= sent;
  iovec& first = cork_->pieces[0];
  first.iov_base = static_cast<char*>(first.iov_base) + bytes;
  first.iov_len -= bytes;
}

net::IoResult Output::send_some(net::Socket& socket, bool last) const {
  std::array<iovec, 2 * kPieces> pieces;
  const size_t n = gather(pieces.data());
  size_t total = 0;
  for (size_t i = 0; i < n; ++i) total += pieces[i].iov_len;
  if (n == 1) {
    return socket.send(std::string_view(static_cast<const char*>(pieces[0].iov_base), total), last);
  }
  if (total > kJoin) return socket.send(std::span<const iovec>(pieces.data(), n), last);
  std::array<char, kJoin> joined;
  char* at = joined.data();
  for (size_t i = 0; i < n; ++i) {
    std::memcpy(at, pieces[i].iov_base, pieces[i].iov_len);
    at += pieces[i].iov_len;
  }
  return socket.send(std::string_view(joined.data(), total), last);
}

Status Output::flush(net::Socket& socket, const Memory& memory, bool last) {
  Status status = Status::kOk;
  while (!empty() && socket.writable()) {
    const net::IoResult result = send_some(socket, last);
    status = result.status;
    if (status == Status::kError) return status;
    if (status == Status::kOk) take_sent(result.bytes, memory);
  }
  if (cork_ != nullptr && cork_->count > 0) {
    refused_ = !may_spill(memory);
    if (refused_) return Status::kError;
    spill(memory);
  }
  blocked_ = !held_.empty();
  if (socket.is_tls()) charge_record(blocked_ ? &memory.account : nullptr);
  return status;
}

void Output::clear(const Memory& memory) {
  held_.clear(memory.blocks);
  charge_record(nullptr);
  blocked_ = false;
  if (cork_ != nullptr) cork_->count = cork_->scratch_used = 0;
}

}  // namespace weir::proxy
