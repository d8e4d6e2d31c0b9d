/* types_digest: see types_digest.h. The constants of SHA-256 are the upper halves of those of
 * SHA-512: both are the first bits of the cube roots of the first primes. */
#include "types/types_digest.h"

#include "types/types_md5.h"

#include <assert.h>
#include <stdlib.h>

enum { SMALL_BLOCK = 64, LARGE_BLOCK = 128 };

static const uint64_t roots[80] = {
    0x428a2f98d728ae22U, 0x7137449123ef65cdU, 0xb5c0fbcfec4d3b2fU, 0xe9b5dba58189dbbcU,
    0x3956c25bf348b538U, 0x59f111f1b605d019U, 0x923f82a4af194f9bU, 0xab1c5ed5da6d8118U,
    0xd807aa98a3030242U, 0x12835b0145706fbeU, 0x243185be4ee4b28cU, 0x550c7dc3d5ffb4e2U,
    0x72be5d74f27b896fU, 0x80deb1fe3b1696b1U, 0x9bdc06a725c71235U, 0xc19bf174cf692694U,
    0xe49b69c19ef14ad2U, 0xefbe4786384f25e3U, 0x0fc19dc68b8cd5b5U, 0x240ca1cc77ac9c65U,
    0x2de92c6f592b0275U, 0x4a7484aa6ea6e483U, 0x5cb0a9dcbd41fbd4U, 0x76f988da831153b5U,
    0x983e5152ee66dfabU, 0xa831c66d2db43210U, 0xb00327c898fb213fU, 0xbf597fc7beef0ee4U,
    0xc6e00bf33da88fc2U, 0xd5a79147930aa725U, 0x06ca6351e003826fU, 0x142929670a0e6e70U,
    0x27b70a8546d22ffcU, 0x2e1b21385c26c926U, 0x4d2c6dfc5ac42aedU, 0x53380d139d95b3dfU,
    0x650a73548baf63deU, 0x766a0abb3c77b2a8U, 0x81c2c92e47edaee6U, 0x92722c851482353bU,
    0xa2bfe8a14cf10364U, 0xa81a664bbc423001U, 0xc24b8b70d0f89791U, 0xc76c51a30654be30U,
    0xd192e819d6ef5218U, 0xd69906245565a910U, 0xf40e35855771202aU, 0x106aa07032bbd1b8U,
    0x19a4c116b8d2d0c8U, 0x1e376c085141ab53U, 0x2748774cdf8eeb99U, 0x34b0bcb5e19b48a8U,
    0x391c0cb3c5c95a63U, 0x4ed8aa4ae3418acbU, 0x5b9cca4f7763e373U, 0x682e6ff3d6b2b8a3U,
    0x748f82ee5defb2fcU, 0x78a5636f43172f60U, 0x84c87814a1f0ab72U, 0x8cc702081a6439ecU,
    0x90befffa23631e28U, 0xa4506cebde82bde9U, 0xbef9a3f7b2c67915U, 0xc67178f2e372532bU,
    0xca273eceea26619cU, 0xd186b8c721c0c207U, 0xeada7dd6cde0eb1eU, 0xf57d4f7fee6ed178U,
    0x06f067aa72176fbaU, 0x0a637dc5a2c898a6U, 0x113f9804bef90daeU, 0x1b710b35131c471bU,
    0x28db77f523047d84U, 0x32caab7b40c72493U, 0x3c9ebe0a15c9bebcU, 0x431d67c49c100d4cU,
    0x4cc5d4becb3e42b6U, 0x597f299cfc657e2aU, 0x5fcb6fab3ad6faecU, 0x6c44198c4a475817U};

static uint32_t left32(uint32_t x, unsigned by)
{
    return x << by | x >> (32 - by);
}

static uint32_t right32(uint32_t x, unsigned by)
{
    return x >> by | x << (32 - by);
}

static uint64_t right64(uint64_t x, unsigned by)
{
    return x >> by | x << (64 - by);
}

static uint32_t word32(const unsigned char *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static uint64_t word64(const unsigned char *at)
{
    return (uint64_t)word32(at) << 32 | word32(at + 4);
}

/* ---- One block ---- */

static void add_sha1(uint64_t *state, const unsigned char *block)
{
    static const uint32_t constants[] = {0x5a827999U, 0x6ed9eba1U, 0x8f1bbcdcU, 0xca62c1d6U};
    uint32_t w[80], s[5];
    for (unsigned i = 0; i < 5; i++)
        s[i] = (uint32_t)state[i];
    for (unsigned i = 0; i < 80; i++) {
        w[i] = i < 16 ? word32(block + (size_t)4 * i)
                      : left32(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
        uint32_t b = s[1], c = s[2], d = s[3];
        uint32_t f = i < 20              ? (b & c) | (~b & d)
                     : i >= 40 && i < 60 ? (b & c) | (b & d) | (c & d)
                                         : b ^ c ^ d;
        uint32_t next = left32(s[0], 5) + f + s[4] + constants[i / 20] + w[i];
        s[4] = d;
        s[3] = c;
        s[2] = left32(b, 30);
        s[1] = s[0];
        s[0] = next;
    }
    for (unsigned i = 0; i < 5; i++)
        state[i] += s[i];
}

static void add_sha256(uint64_t *state, const unsigned char *block)
{
    uint32_t w[64], s[8];
    for (unsigned i = 0; i < 8; i++)
        s[i] = (uint32_t)state[i];
    for (unsigned i = 0; i < 64; i++) {
        if (i < 16) {
            w[i] = word32(block + (size_t)4 * i);
        } else {
            uint32_t x = w[i - 15], y = w[i - 2];
            w[i] = w[i - 16] + (right32(x, 7) ^ right32(x, 18) ^ x >> 3) + w[i - 7] +
                   (right32(y, 17) ^ right32(y, 19) ^ y >> 10);
        }
        uint32_t one = s[7] + (right32(s[4], 6) ^ right32(s[4], 11) ^ right32(s[4], 25)) +
                       ((s[4] & s[5]) ^ (~s[4] & s[6])) + (uint32_t)(roots[i] >> 32) + w[i];
        uint32_t two = (right32(s[0], 2) ^ right32(s[0], 13) ^ right32(s[0], 22)) +
                       ((s[0] & s[1]) ^ (s[0] & s[2]) ^ (s[1] & s[2]));
        memmove(&s[1], &s[0], 7 * sizeof s[0]);
        s[4] += one;
        s[0] = one + two;
    }
    for (unsigned i = 0; i < 8; i++)
        state[i] += s[i];
}

static void add_sha512(uint64_t *state, const unsigned char *block)
{
    uint64_t w[80], s[8];
    memcpy(s, state, sizeof s);
    for (unsigned i = 0; i < 80; i++) {
        if (i < 16) {
            w[i] = word64(block + (size_t)8 * i);
        } else {
            uint64_t x = w[i - 15], y = w[i - 2];
            w[i] = w[i - 16] + (right64(x, 1) ^ right64(x, 8) ^ x >> 7) + w[i - 7] +
                   (right64(y, 19) ^ right64(y, 61) ^ y >> 6);
        }
        uint64_t one = s[7] + (right64(s[4], 14) ^ right64(s[4], 18) ^ right64(s[4], 41)) +
                       ((s[4] & s[5]) ^ (~s[4] & s[6])) + roots[i] + w[i];
        uint64_t two = (right64(s[0], 28) ^ right64(s[0], 34) ^ right64(s[0], 39)) +
                       ((s[0] & s[1]) ^ (s[0] & s[2]) ^ (s[1] & s[2]));
        memmove(&s[1], &s[0], 7 * sizeof s[0]);
        s[4] += one;
        s[0] = one + two;
    }
    for (unsigned i = 0; i < 8; i++)
        state[i] += s[i];
}

/* ---- All of them ---- */

struct digest {
    void (*add)(uint64_t *state, const unsigned char *block);
    size_t block, word, length; /* bytes */
    uint64_t first[8];
};

static const struct digest *digest_find(enum debezium_digest kind)
{
    static const struct digest sha1 = {
        add_sha1,
        SMALL_BLOCK,
        4,
        20,
        {0x67452301U, 0xefcdab89U, 0x98badcfeU, 0x10325476U, 0xc3d2e1f0U}};
    static const struct digest sha224 = {add_sha256,
                                         SMALL_BLOCK,
                                         4,
                                         28,
                                         {0xc1059ed8U, 0x367cd507U, 0x3070dd17U, 0xf70e5939U,
                                          0xffc00b31U, 0x68581511U, 0x64f98fa7U, 0xbefa4fa4U}};
    static const struct digest sha256 = {add_sha256,
                                         SMALL_BLOCK,
                                         4,
                                         32,
                                         {0x6a09e667U, 0xbb67ae85U, 0x3c6ef372U, 0xa54ff53aU,
                                          0x510e527fU, 0x9b05688cU, 0x1f83d9abU, 0x5be0cd19U}};
    static const struct digest sha384 = {
        add_sha512,
        LARGE_BLOCK,
        8,
        48,
        {0xcbbb9d5dc1059ed8U, 0x629a292a367cd507U, 0x9159015a3070dd17U, 0x152fecd8f70e5939U,
         0x67332667ffc00b31U, 0x8eb44a8768581511U, 0xdb0c2e0d64f98fa7U, 0x47b5481dbefa4fa4U}};
    static const struct digest sha512 = {
        add_sha512,
        LARGE_BLOCK,
        8,
        64,
        {0x6a09e667f3bcc908U, 0xbb67ae8584caa73bU, 0x3c6ef372fe94f82bU, 0xa54ff53a5f1d36f1U,
         0x510e527fade682d1U, 0x9b05688c2b3e6c1fU, 0x1f83d9abfb41bd6bU, 0x5be0cd19137e2179U}};
    switch (kind) {
    case DEBEZIUM_DIGEST_SHA1:
        return &sha1;
    case DEBEZIUM_DIGEST_SHA224:
        return &sha224;
    case DEBEZIUM_DIGEST_SHA256:
        return &sha256;
    case DEBEZIUM_DIGEST_SHA384:
        return &sha384;
    case DEBEZIUM_DIGEST_SHA512:
        return &sha512;
    case DEBEZIUM_DIGEST_MD5:
        break;
    }
    abort();
}

/* What is left over, a one, zeros, and the number of bits: one block or two. */
static void add_rest(const struct digest *d, uint64_t *state, struct span rest, size_t all)
{
    unsigned char last[2 * LARGE_BLOCK] = {0};
    memcpy(last, rest.ptr, rest.len);
    last[rest.len] = 0x80;
    size_t padded = rest.len + 1 + 2 * d->word <= d->block ? d->block : 2 * d->block;
    uint64_t bits = (uint64_t)all * 8;
    for (unsigned i = 0; i < 8; i++)
        last[padded - 1 - i] = (unsigned char)(bits >> 8 * i);
    for (size_t at = 0; at < padded; at += d->block)
        d->add(state, last + at);
}

size_t digest_of(enum debezium_digest kind, struct span bytes,
                 unsigned char digest[DIGEST_BYTES_MAX])
{
    assert(bytes.ptr != NULL && digest != NULL);
    if (kind == DEBEZIUM_DIGEST_MD5) {
        md5(bytes, digest);
        return MD5_BYTES;
    }
    const struct digest *d = digest_find(kind);
    uint64_t state[8];
    memcpy(state, d->first, sizeof state);
    size_t whole = bytes.len / d->block * d->block;
    for (size_t at = 0; at < whole; at += d->block)
        d->add(state, (const unsigned char *)bytes.ptr + at);
    add_rest(d, state, (struct span){bytes.ptr + whole, bytes.len - whole}, bytes.len);
    for (size_t i = 0; i < d->length; i++)
        digest[i] = (unsigned char)(state[i / d->word] >> 8 * (d->word - 1 - i % d->word));
    return d->length;
}
