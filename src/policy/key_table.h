// SPDX-License-Identifier: Apache-2.0
// A table from keys to one 64-bit word each, shared by all workers: the ground under rate buckets
// and concurrency counts. Finding a key takes no lock, and what it finds is changed by one
// compare-and-swap; only a new key locks, and only the page of 4 KiB that it goes to.
//
//   directory (leading bits of key.hi) -> page -> 168 slots {key, word}, linear probing from key.lo
//
// The directory doubles as pages split, so that few keys have a small one, which stays in the cache
// (what it was before stays where it is: a reader who is late finds nothing there, and looks again
// under a lock).
//
// A page that is nearly full splits in two (extendible hashing, Fagin 1979) until the table has 64
// KiB; from then on it first throws out idle keys (what they lose is nothing: `idle` says so), and
// splits only if there are few: memory follows the keys in use, at about 40 bytes a key and never
// above 72 x max_keys, and no growth moves more than one page and the directory. Where no page is
// left and no key is idle, new keys share one overflow word.
//
// A word is {value: 58 bits, tag: 6 bits}; the value 0 is an empty slot. The tag changes whenever a
// slot changes hands or value and owner are rebuilt, so that a compare-and-swap prepared for one
// key never lands on another's.
//
// Thread: all, but construction. Lifetime: a Ref is used at once, it holds nothing.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>

#include "policy/limit_key.h"

namespace weir::policy {

class KeyTable {
 public:
  static constexpr unsigned kTagBits = 6;
  static constexpr std::uint64_t kTagMask = (1U << kTagBits) - 1;
  static constexpr std::uint64_t kMaxValue = (std::uint64_t{1} << (64 - kTagBits)) - 2;

  /// What the values mean to the table.
  struct Rules {
    /// A key of this value may be forgotten: it would come back as a fresh one.
    bool (*idle)(std::uint64_t value, std::uint64_t now);
    /// The value of a fresh key, given what the overflow word holds (0: never used); 0: the key
    /// must go on sharing the overflow, because it may have part in what is held there.
    std::uint64_t (*fresh)(std::uint64_t overflow, std::uint64_t now);
  };

  /// A word as it was seen.
  class Ref {
   public:
    Ref() = default;
    explicit operator bool() const { return word_ != nullptr; }
    std::uint64_t value() const { return seen_ >> kTagBits; }
    bool overflow() const { return overflow_; }
    /// Puts `value` in the place of the one seen. False: it had changed, and is seen anew; lost()
    /// then says whether the word may be another key's by now.
    bool replace(std::uint64_t value);
    bool lost() const { return word_ == nullptr; }
    /// Whether the word still is what was seen.
    bool current() const { return word_->load(std::memory_order_acquire) == seen_; }

   private:
    friend class KeyTable;
    Ref(std::atomic<std::uint64_t>& word, std::uint64_t seen, bool overflow)
        : word_(&word), seen_(seen), overflow_(overflow) {}
    std::atomic<std::uint64_t>* word_ = nullptr;
    std::uint64_t seen_ = 0;
    bool overflow_ = false;
  };

  KeyTable(std::uint32_t max_keys, Rules rules);
  KeyTable(const KeyTable&) = delete;
  KeyTable& operator=(const KeyTable&) = delete;
  ~KeyTable();

  /// The key's word. Empty if it is not found, which it also may be for a moment while its page is
  /// rebuilt: only with_word() knows that it is not there.
  Ref find(const LimitKey& key) const;
  /// Brings near what find() of this key will read.
  void prefetch(const LimitKey& key) const;

  /// Calls `change(Ref&)` with the key's word, the key inserted if need be, or with the overflow
  /// word, while nobody can insert, move or forget that key. `change` returns false to be called
  /// again with a fresh Ref.
  template <typename Change>
  void with_word(const LimitKey& key, std::uint64_t now, Change change) {
    Page* page = &lock_page(key);
    for (Ref ref = obtain(page, key, now); !change(ref); ref = obtain(page, key, now)) {
    }
    unlock(*page);
  }
  /// As with_word(), for a key that is expected: calls nothing and returns false if it is absent.
  template <typename Change>
  bool with_known(const LimitKey& key, Change change) {
    Page& page = lock_page(key);
    Ref ref = scan(page, key);
    while (ref && !change(ref)) ref = scan(page, key);
    unlock(page);
    return static_cast<bool>(ref);
  }

  Ref overflow() const;

  // For metrics and tests.
  std::size_t keys() const { return keys_.load(std::memory_order_relaxed); }
  std::size_t pages() const { return next_page_.load(std::memory_order_relaxed); }
  std::size_t max_pages() const { return max_pages_; }
  std::size_t memory_bytes() const;
  std::uint64_t evicted() const { return evicted_.load(std::memory_order_relaxed); }

 private:
  static constexpr std::size_t kPageBytes = 4096;
  struct Slot {
    std::atomic<std::uint64_t> word;
    std::atomic<std::uint64_t> lo;
    std::atomic<std::uint64_t> hi;
  };
  static constexpr std::uint32_t kSlots = (kPageBytes - 64) / sizeof(Slot);
  /// Above this, probing for absent keys grows long: 7 of 8.
  static constexpr std::uint32_t kCrowded = kSlots * 7 / 8;
  struct Page {
    // depth, prefix and used are the lock holder's.
    std::atomic<std::uint32_t> locked;
    std::uint32_t used;
    std::uint32_t depth;   ///< Leading bits that all keys of the page share.
    std::uint32_t prefix;  ///< Their value.
    std::array<std::byte, 48> unused;
    std::array<Slot, kSlots> slots;
  };
  struct Entry {
    LimitKey key;
    std::uint64_t value = 0;
  };
  /// What a page holds, or will hold: by slot, or the first `count` of them.
  struct Image {
    std::array<Entry, kSlots> entries{};
    std::uint32_t count = 0;
    void place(const Entry& entry);
  };
  using Tags = std::array<std::uint8_t, kSlots>;

  Page& page_of(const LimitKey& key) const;
  Page& lock_page(const LimitKey& key);
  static void unlock(Page& page) { page.locked.store(0, std::memory_order_release); }
  static Ref scan(const Page& page, const LimitKey& key);
  Ref obtain(Page*& page, const LimitKey& key, std::uint64_t now);
  Slot* vacate(Page*& page, const LimitKey& key, std::uint64_t now);
  void make_room(Page*& page, const LimitKey& key, std::uint64_t now);
  std::uint32_t count_idle(const Page& page, std::uint64_t now) const;
  void purge(Page& page, std::uint64_t now);
  bool split(Page*& page, const LimitKey& key);
  void publish(const Page& page, std::uint32_t number);
  void deepen();
  static Tags take_out(Page& page, Image& out);
  static void put_back(Page& page, const Image& image, const Tags& tags);
  static std::uint32_t start_of(const LimitKey& key);

  const Rules rules_;
  std::uint32_t most_bits_ = 0;
  std::size_t max_pages_ = 0;
  Page* pages_ = nullptr;  ///< Mapped; the kernel gives pages on touch.
  /// Mapped behind the pages. The directory of d bits is [2^d, 2^(d+1)).
  std::atomic<std::uint32_t>* directory_ = nullptr;
  std::size_t mapped_bytes_ = 0;
  std::mutex growing_;  ///< Who changes the directory; taken with a page's lock held.

  alignas(64) std::atomic<std::uint64_t> overflow_{0};
  alignas(64) std::atomic<std::uint32_t> bits_{0};  ///< The directory's; rarely changes.
  alignas(64) std::atomic<std::uint32_t> next_page_{1};
  std::atomic<std::size_t> keys_{0};
  std::atomic<std::uint64_t> evicted_{0};
};

inline bool KeyTable::Ref::replace(std::uint64_t value) {
  const std::uint64_t tag = seen_ & kTagMask;
  std::uint64_t now = seen_;
  if (word_->compare_exchange_strong(now, value << kTagBits | tag, std::memory_order_acq_rel,
                                     std::memory_order_acquire)) {
    seen_ = value << kTagBits | tag;
    return true;
  }
  seen_ = now;
  // Same tag: the same owner, since a slot changes tags sixty-four times before one comes back.
  if ((now & kTagMask) != tag || now >> kTagBits > kMaxValue) word_ = nullptr;
  return false;
}

}  // namespace weir::policy
