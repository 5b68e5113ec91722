#pragma once

#include "kiln/Dim.h"
#include "kiln/Error.h"
#include "kiln/Precision.h"
#include "kiln/Shape.h"
#include "kiln/Stats.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

/// A compiled graph as bytes: what codegen makes, the caches keep and the runtime runs.
namespace kiln::runtime {

/// How a weight lies in memory for its kernels.
struct Packing {
  enum class Kind : uint8_t {
    /// As the user's tensor: dense, row-major.
    none,
    /// A [N, K] matrix (the last two dims; `Linear`'s weight) in panels of `panel` rows of N:
    /// packed[n / panel][k][n % panel], the last panel filled with zeros.
    rowPanels,
    /// A [K, N] matrix in panels of `panel` columns: packed[n / panel][k][n % panel].
    columnPanels,
    /// A [..., N] filter of a convolution, all dims but the last taken as one K, as columnPanels.
    filterPanels,
    /// A [N, C, ...] filter, PyTorch's, as that [..., C, N] filter.
    channelsFirstPanels,
    /// The same in pairs of K, in bfloat16 (float32 is rounded to it, to nearest even):
    /// packed[n / panel][k / 2][n % panel][k % 2], an odd K filled with zeros.
    rowPairs,
    columnPairs,
    filterPairs,
    channelsFirstPairs,
    /// The same of float32 in two parts, the number rounded to bfloat16 and, rounded too, the rest:
    /// packed[n / panel][part][k / 2][n % panel][k % 2].
    rowParts,
    columnParts,
    filterParts,
    channelsFirstParts,
    /// Elements of 16 bits for wgmma: tiles of `panel` rows of N by 64 of K, as they lie in shared
    /// memory, packed[n / panel][k / 64][n % panel][k / 8 % 8 ^ n % 8][k % 8], filled with zeros.
    rowTiles,
    columnTiles,
    filterTiles,
    channelsFirstTiles,
  };
  Kind kind = Kind::none;
  int64_t panel = 0;
  friend bool operator==(const Packing &, const Packing &) = default;
};

struct ArtifactInput {
  bool isWeight = false;
  std::string name; // for messages
  TensorType type;  // of one rank's part, where the input is split
  /// One entry buffer for each distinct packing that the kernels want of this input, in order;
  /// an empty list is one Packing::none. Unpacked inputs are aligned to their element size, all
  /// other buffers to 64 bytes.
  std::vector<Packing> packings;
  std::optional<int64_t> shardAxis = {}; // the axis along which it is split over the ranks
};

struct ArtifactOutput {
  TensorType type;
  /// Set where the output is an input as it came (no kernel writes it).
  std::optional<uint32_t> aliasOfInput;
};

/// Where an index was checked: what an IndexError says about it.
struct IndexSite {
  std::string message; // "[gather] indices [4, 16] i64 into axis 0 of table [10, 3] f32"
  std::string location;
};

/// What a kernel computes and moves, as far as its operations say: what its time is measured by.
struct KernelCost {
  /// Operations on numbers: a multiplication and an addition for each product's term, one for each
  /// element of an elementwise operation, whatever that costs the machine (passes/KernelCost.h).
  Dim flops;
  /// Bytes that it must read of the model's weights, and read and write beside them: each operand
  /// and result once; of tables only the rows that are looked up.
  Dim weightBytes, otherBytes;
  DType products = DType::float32; // of its multiplications
  std::string types;               // "[batch, 8] f32, [8, 4] f32 -> [batch, 4] f32"
  friend bool operator==(const KernelCost &, const KernelCost &) = default;
};

/// What an artifact's key is made of (runtime/ArtifactKey.h).
struct KeyParts {
  std::string compiler; // version and build
  std::string target;   // CPU features
  std::string options;
  std::string graph; // ir::canonicalText
  friend bool operator==(const KeyParts &, const KeyParts &) = default;
};

/// A function of the device code, as KilnRuntime::launch numbers them.
struct DeviceKernel {
  std::string name;
  int64_t threads = 0;     // of a block, which has one dimension
  int64_t sharedBytes = 0; // dynamic shared memory of a block
  int64_t parameters = 0;  // each has 8 bytes
  friend bool operator==(const DeviceKernel &, const DeviceKernel &) = default;
};

/// What runs on an accelerator. Empty where the artifact is for a CPU.
struct DeviceCode {
  std::string chip; // "sm_90": the least that can run it; "sm_90a": the only one
  std::string ptx;  // one module
  /// The module as machine code: architecture ("sm_90") and cubin, for those that were asked for
  /// where ptxas is installed.
  std::vector<std::pair<std::string, std::vector<std::byte>>> cubins;
  std::vector<DeviceKernel> kernels;
  bool empty() const { return chip.empty(); }
  friend bool operator==(const DeviceCode &, const DeviceCode &) = default;
};

struct Artifact {
  std::string key; // 32 hex digits
  KeyParts parts;
  std::string madeBecause; // why nothing in the cache would do
  /// How many devices run the one program at the same time, each with its parts of split inputs
  /// and the whole of all others. All have the same outputs.
  int64_t ranks = 1;
  std::string compilerVersion;
  std::string target;               // canonical features, see HostCpu
  std::vector<std::string> symbols; // order of the entry's dims
  std::vector<ArtifactInput> inputs;
  std::vector<ArtifactOutput> outputs;
  std::vector<Constraint> constraints;
  /// Bytes of the one workspace: `workspace` + threads * `scratchPerThread`. The per-thread
  /// scratch of worker w starts at `workspace` (rounded up to 64) + w * scratchPerThread.
  Dim workspace;
  Dim scratchPerThread;
  std::vector<IndexSite> indexSites;
  std::vector<std::string> kernels; // names, for statistics
  std::vector<KernelCost> costs;    // of each kernel
  std::vector<uint32_t> launches;   // the kernels that the entry launches, in order
  std::vector<std::byte> code;      // closed, position-independent; mapped read + execute
  int64_t entryOffset = 0;          // of KilnEntry in `code`
  DeviceCode device = {};           // what the entry launches
};

/// What the compiler is asked for beside the graph. All of it is part of the key.
struct CompileRequest {
  std::string target = "native";            // Target::byName
  std::vector<std::string> disabledPasses;  // "kiln-fuse-epilogue", …: switches them off
  bool int8Activations = false;             // of products with weights that stay packed
  Precision precision = Precision::highest; // of products of float32
  int64_t ranks = 1;                        // devices over which ir::Input::shardAxis splits
  /// Of the accelerators that shall run it: "sm_80", "sm_90", "sm_90a", "sm_100"; empty: a CPU.
  std::string chip = {};
  /// For which to add machine code, of those that run code for `chip`; none: for `chip`.
  std::vector<std::string> architectures = {};
  std::string dumpDir;                    // not part of the key: IR after every phase
  std::vector<std::string> captureStages; // not part of the key: see CompileResult::stages
  std::string lastPhase; // not part of the key: where to end, without code; empty: at the end
};

struct CompileResult {
  ErrorKind error = ErrorKind::none;
  std::string message;
  Artifact artifact;
  std::vector<std::pair<std::string, std::string>> stages; // (stage, IR text)
  std::vector<PhaseTime> timings;                          // in order
};

/// The file format: see docs/artifact.md. `parse` believes nothing: IoError names the field.
std::vector<std::byte> serialize(const Artifact &artifact);
Artifact parseArtifact(std::span<const std::byte> bytes);

} // namespace kiln::runtime
