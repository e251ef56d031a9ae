// White-space chunks of UTF-8 texts and the memory of their token ids. No rule of tokenising is here: what a chunk
// gives comes from outside, once for each chunk. Called through ctypes by pipeline/chunk_kernel.py.

#pragma once

#include <cstdint>
#include <cstring>
#include <memory>
#include <new>
#include <vector>

// Returns how many bytes of white space begin at `text`, as Python's str.split sees it; 0 for none.
inline int white_space_at(const uint8_t* text, const uint8_t* end) {
    const uint8_t first = text[0];
    if (first < 0x80) return (first >= 9 && first <= 13) || (first >= 28 && first <= 32);
    if (first == 0xC2) return end - text >= 2 && (text[1] == 0x85 || text[1] == 0xA0) ? 2 : 0;
    if (first < 0xE1 || first > 0xE3 || end - text < 3) return 0;
    const uint32_t code = (first & 15u) << 12 | (text[1] & 63u) << 6 | (text[2] & 63u);
    const bool is_space = code == 0x1680 || (code >= 0x2000 && code <= 0x200A) || code == 0x2028 || code == 0x2029 ||
                          code == 0x202F || code == 0x205F || code == 0x3000;
    return is_space ? 3 : 0;
}

// Bytes that are, or belong to, no white space, whatever stands beside them: a table, for the innermost loop.
struct ByteTable {
    bool of[256];
    ByteTable() {
        for (int byte = 0; byte < 256; byte++) {
            const uint8_t alone = static_cast<uint8_t>(byte);
            of[byte] = byte != 0xC2 && (byte < 0xE1 || byte > 0xE3) && !white_space_at(&alone, &alone + 1);
        }
    }
};
static const ByteTable IS_WORD;

constexpr int LOOKED_UP_TOGETHER = 16;

inline uint64_t mixed(uint64_t left, uint64_t right) {
    const unsigned __int128 product = static_cast<unsigned __int128>(left) * right;
    return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
}

inline uint64_t hash_of(const uint8_t* key, int64_t length) {
    uint64_t hash = 0x9E3779B97F4A7C15ull ^ static_cast<uint64_t>(length);
    for (; length > 8; key += 8, length -= 8) {
        uint64_t word;
        std::memcpy(&word, key, 8);
        hash = mixed(hash ^ word, 0xD6E8FEB86659FD93ull);
    }
    uint64_t word = 0;
    std::memcpy(&word, key, static_cast<size_t>(length));
    return mixed(hash ^ word, 0xA0761D6478BD642Full);
}

// Chunks, numbered in order of arrival, each with its token ids.
class ChunkTable {
  public:
    struct Entry {
        uint64_t hash;
        int64_t key, length;  // bytes, from `keys`
        int64_t first_id, ids;
    };

    ChunkTable() : slots_(1 << 12, -1) {}

    int64_t find(const uint8_t* key, int64_t length, uint64_t hash) const {
        for (uint64_t slot = hash;; slot++) {
            const int32_t number = slots_[slot & (slots_.size() - 1)];
            if (number < 0) return -1;
            const Entry& entry = entries[number];
            if (entry.hash == hash && entry.length == length && !std::memcmp(&keys[entry.key], key, length))
                return number;
        }
    }

    // Fetch ahead what `find` will read, so that several look-ups wait for memory at once.
    void expect(uint64_t hash) const { __builtin_prefetch(&slots_[hash & (slots_.size() - 1)]); }
    void expect_entry(uint64_t hash) const {
        const int32_t number = slots_[hash & (slots_.size() - 1)];
        if (number >= 0) __builtin_prefetch(&entries[number]);
    }

    int64_t add(const uint8_t* key, int64_t length, uint64_t hash) {
        if (2 * (entries.size() + 1) > slots_.size()) grow();
        const int64_t number = static_cast<int64_t>(entries.size());
        entries.push_back({hash, static_cast<int64_t>(keys.size()), length, 0, 0});
        keys.insert(keys.end(), key, key + length);
        place(number);
        return number;
    }

    void give_ids(int64_t number, const int32_t* first, int64_t count) {
        entries[number].first_id = static_cast<int64_t>(ids.size());
        entries[number].ids = count;
        ids.insert(ids.end(), first, first + count);
    }

    std::vector<Entry> entries;
    std::vector<uint8_t> keys;
    std::vector<int32_t> ids;

  private:
    void place(int64_t number) {
        uint64_t slot = entries[number].hash;
        while (slots_[slot & (slots_.size() - 1)] >= 0) slot++;
        slots_[slot & (slots_.size() - 1)] = static_cast<int32_t>(number);
    }

    void grow() {
        slots_.assign(2 * slots_.size(), -1);
        for (size_t number = 0; number < entries.size(); number++) place(static_cast<int64_t>(number));
    }

    std::vector<int32_t> slots_;
};

// Two generations of chunks: when the younger is full, it becomes the elder, and chunks that still come move on from it.
class ChunkMemory {
  public:
    ChunkMemory(int64_t most_chunks, int64_t most_bytes) : most_chunks_(most_chunks), most_bytes_(most_bytes) {
        younger_.reset(new ChunkTable);
        elder_.reset(new ChunkTable);
    }

    // Cuts texts into chunks. Returns how many of them have no ids yet: those are the last ones of the table.
    int64_t read(const uint8_t* texts, const int64_t* offsets, int64_t count) {
        if (!unknown_.empty()) younger_.reset(new ChunkTable);  // their ids never came: the call before was given up
        const int64_t bytes = static_cast<int64_t>(younger_->keys.size() + 4 * younger_->ids.size());
        if (static_cast<int64_t>(younger_->entries.size()) >= most_chunks_ / 2 || bytes >= most_bytes_ / 2) {
            elder_ = std::move(younger_);
            younger_.reset(new ChunkTable);
        }
        chunks_.clear();
        unknown_.clear();
        ends_.clear();
        for (int64_t text = 0; text < count; text++) {
            read_text(texts + offsets[text], texts + offsets[text + 1]);
            ends_.push_back(chunks_.size());
        }
        return static_cast<int64_t>(unknown_.size());
    }

    // The bytes of `copy_unknown`.
    int64_t bytes_of_unknown() const {
        int64_t bytes = 0;
        for (int32_t number : unknown_) bytes += younger_->entries[number].length + 1;
        return bytes;
    }

    // Writes the chunks without ids, a blank after each.
    void copy_unknown(uint8_t* to) const {
        for (int32_t number : unknown_) {
            const ChunkTable::Entry& entry = younger_->entries[number];
            std::memcpy(to, &younger_->keys[entry.key], static_cast<size_t>(entry.length));
            to += entry.length;
            *to++ = ' ';
        }
    }

    // Takes the ids of the unknown chunks; returns how many ids the texts have and writes each text's count.
    int64_t learn(const int32_t* ids, const int64_t* offsets, int64_t* counts) {
        for (int32_t number : unknown_) {
            younger_->give_ids(number, ids + offsets[0], offsets[1] - offsets[0]);
            offsets++;
        }
        unknown_.clear();
        int64_t total = 0;
        size_t chunk = 0;
        for (size_t end : ends_) {
            int64_t of_text = 0;
            for (; chunk < end; chunk++) of_text += younger_->entries[chunks_[chunk]].ids;
            *counts++ = of_text;
            total += of_text;
        }
        return total;
    }

    void copy_ids(int32_t* to) const {
        for (int32_t chunk : chunks_) {
            const ChunkTable::Entry& entry = younger_->entries[chunk];
            const int32_t* from = younger_->ids.data() + entry.first_id;
            for (int64_t id = 0; id < entry.ids; id++) *to++ = from[id];
        }
    }

  private:
    struct Span {
        const uint8_t* key;
        int64_t length;
        uint64_t hash;
    };

    void read_text(const uint8_t* at, const uint8_t* end) {
        Span spans[LOOKED_UP_TOGETHER];
        int found = 0;
        while (at < end) {
            const int space = white_space_at(at, end);
            if (space) {
                at += space;
                continue;
            }
            const uint8_t* start = at;
            while (at < end && (IS_WORD.of[*at] || !white_space_at(at, end))) at++;
            const uint64_t hash = hash_of(start, at - start);
            younger_->expect(hash);
            spans[found++] = {start, at - start, hash};
            if (found == LOOKED_UP_TOGETHER) {
                look_up(spans, found);
                found = 0;
            }
        }
        look_up(spans, found);
    }

    void look_up(const Span* spans, int count) {
        for (int span = 0; span < count; span++) younger_->expect_entry(spans[span].hash);
        for (int span = 0; span < count; span++) chunks_.push_back(number_of(spans[span]));
    }

    int32_t number_of(const Span& span) {
        int64_t number = younger_->find(span.key, span.length, span.hash);
        if (number >= 0) return static_cast<int32_t>(number);
        number = younger_->add(span.key, span.length, span.hash);
        const int64_t before = elder_->find(span.key, span.length, span.hash);
        if (before >= 0) {
            const ChunkTable::Entry& entry = elder_->entries[before];
            younger_->give_ids(number, elder_->ids.data() + entry.first_id, entry.ids);
        } else {
            unknown_.push_back(static_cast<int32_t>(number));
        }
        return static_cast<int32_t>(number);
    }

    int64_t most_chunks_, most_bytes_;
    std::unique_ptr<ChunkTable> younger_, elder_;
    std::vector<int32_t> chunks_;   // of the texts read last, as numbers in the younger table
    std::vector<int32_t> unknown_;  // those of them without ids, each once
    std::vector<size_t> ends_;      // of the texts, in `chunks_`
};

extern "C" {
ChunkMemory* new_chunk_memory(int64_t most_chunks, int64_t most_bytes) {
    return new (std::nothrow) ChunkMemory(most_chunks, most_bytes);
}
void delete_chunk_memory(ChunkMemory* memory) { delete memory; }
int64_t read_chunks(ChunkMemory* memory, const uint8_t* texts, const int64_t* offsets, int64_t count) {
    return memory->read(texts, offsets, count);
}
int64_t bytes_of_unknown_chunks(const ChunkMemory* memory) { return memory->bytes_of_unknown(); }
void copy_unknown_chunks(const ChunkMemory* memory, uint8_t* to) { memory->copy_unknown(to); }
int64_t learn_chunks(ChunkMemory* memory, const int32_t* ids, const int64_t* offsets, int64_t* counts) {
    return memory->learn(ids, offsets, counts);
}
void copy_token_ids(const ChunkMemory* memory, int32_t* ids) { memory->copy_ids(ids); }
}
