#pragma once

/// Everything of the public API.

#include "kiln/Compile.h"
#include "kiln/Defaults.h"
#include "kiln/Gguf.h"
#include "kiln/Graph.h"
#include "kiln/Io.h"
#include "kiln/Module.h"
#include "kiln/Ops.h"
#include "kiln/Random.h"
#include "kiln/Stats.h"
#include "kiln/Tensor.h"
#include "kiln/Threads.h"
#include "kiln/nn/Activations.h"
#include "kiln/nn/Embedding.h"
#include "kiln/nn/GroupNorm.h"
#include "kiln/nn/Linear.h"
#include "kiln/nn/MultiHeadAttention.h"
#include "kiln/nn/Norm.h"
#include "kiln/nn/RotaryEmbedding.h"
#include "kiln/nn/Sequential.h"
#include "kiln/nn/embedding/Embedding.h"
