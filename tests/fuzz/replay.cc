// Runs a fuzzer without libFuzzer: every file of a folder as it is, then mutated. The same seeds give the
// same inputs, so that a failure comes back; the input that broke a property is printed.
//   fuzz_X FOLDER|FILE [MUTATIONS_PER_FILE]
#include <algorithm>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <random>
#include <sstream>
#include <string>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

constexpr std::size_t kLongestInput = 4096;

struct Seed {
  std::string name;
  std::string bytes;
};

const std::string* running = nullptr;  // what the signal handler prints
const char* running_name = "";

void run(const std::string& bytes, const std::string& name) {
  running = &bytes;
  running_name = name.c_str();
  // A copy of exactly that size: a sanitizer sees every read beyond it.
  const std::vector<std::uint8_t> input(bytes.begin(), bytes.end());
  LLVMFuzzerTestOneInput(input.data(), input.size());
}

// The process ends here in any case: what is not safe in a signal handler is worth the try.
void print_input(int number) {
  std::signal(number, SIG_DFL);
  std::fprintf(stderr, "\nbroken by (a mutation of) %s, %zu bytes, for printf:\n", running_name,
               running->size());
  for (const char c : *running) {
    const auto byte = static_cast<unsigned char>(c);
    const bool is_plain = byte > 0x20 && byte < 0x7f && c != '\\' && c != '%' && c != '\'';
    std::fprintf(stderr, is_plain ? "%c" : "\\x%02x", byte);
  }
  std::fputc('\n', stderr);
  std::raise(number);
}

std::vector<Seed> read_seeds(const std::filesystem::path& path) {
  std::vector<std::filesystem::path> files;
  std::error_code error;
  if (std::filesystem::is_regular_file(path, error)) files.push_back(path);
  for (const auto& entry : std::filesystem::directory_iterator(path, error)) {
    if (entry.is_regular_file(error)) files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  std::vector<Seed> seeds;
  for (const auto& file : files) {
    std::ifstream stream(file, std::ios::binary);
    std::ostringstream bytes;
    bytes << stream.rdbuf();
    seeds.push_back({file.filename().string(), bytes.str()});
  }
  return seeds;
}

class Mutator {
 public:
  Mutator(const std::vector<Seed>& seeds, std::uint64_t start) : seeds_(seeds), random_(start) {}

  std::string mutate(std::string bytes) {
    for (std::uint64_t steps = 1 + below(6); steps > 0; --steps) step(bytes);
    if (bytes.size() > kLongestInput) bytes.resize(kLongestInput);
    return bytes;
  }

 private:
  std::uint64_t below(std::uint64_t bound) { return bound ? random_() % bound : 0; }

  void step(std::string& bytes) {
    static const std::string interesting =
        "\r\n\t :;,=.-+/*?[]\"\\_059aAfFxX\x7f\x80\xff" + std::string(1, '\0');
    const std::size_t place = below(bytes.size() + 1);
    const std::size_t length = below(std::min<std::size_t>(bytes.size() - place, 64) + 1);
    const char picked = interesting[below(interesting.size())];
    switch (below(9)) {
      case 0:
        if (place < bytes.size()) bytes[place] = static_cast<char>(bytes[place] ^ (1 << below(8)));
        break;
      case 1:
        if (place < bytes.size()) bytes[place] = static_cast<char>(below(256));
        break;
      case 2:
        if (place < bytes.size()) bytes[place] = picked;
        break;
      case 3:
        bytes.insert(place, 1 + below(3), picked);
        break;
      case 4:
        bytes.erase(place, length);
        break;
      case 5:
        bytes.resize(place);
        break;
      case 6:
        bytes.insert(place, bytes.substr(place, length));
        break;
      case 7:
        bytes.insert(below(bytes.size() + 1), bytes.substr(place, length));
        break;
      default:
        splice(bytes, place);
    }
  }

  // The start of one seed and the end of another, or a piece of the other in the middle.
  void splice(std::string& bytes, std::size_t place) {
    const std::string& other = seeds_[below(seeds_.size())].bytes;
    const std::string piece =
        other.substr(below(other.size() + 1), below(2) ? std::string::npos : 1 + below(32));
    if (below(2)) bytes.resize(place);
    bytes.insert(place, piece);
  }

  const std::vector<Seed>& seeds_;
  std::mt19937_64 random_;
};

}  // namespace

int main(int count, char** arguments) {
  if (count < 2) {
    std::fprintf(stderr, "usage: %s FOLDER|FILE [MUTATIONS_PER_FILE]\n", arguments[0]);
    return 2;
  }
  const std::uint64_t mutations = count > 2 ? std::strtoull(arguments[2], nullptr, 10) : 1000;
  const std::vector<Seed> seeds = read_seeds(arguments[1]);
  if (seeds.empty()) {
    std::fprintf(stderr, "%s: no seeds in %s\n", arguments[0], arguments[1]);
    return 2;
  }
  for (const int number : {SIGABRT, SIGSEGV, SIGFPE, SIGBUS, SIGILL}) std::signal(number, print_input);
  for (const Seed& seed : seeds) run(seed.bytes, seed.name);
  for (std::size_t i = 0; i < seeds.size(); ++i) {
    Mutator mutator(seeds, i + 1);
    for (std::uint64_t round = 0; round < mutations; ++round)
      run(mutator.mutate(seeds[i].bytes), seeds[i].name);
  }
  std::printf("%zu seeds, %llu mutations of each\n", seeds.size(),
              static_cast<unsigned long long>(mutations));
  return 0;
}
