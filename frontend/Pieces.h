#pragma once

#include "frontend/PendingGraph.h"

/// Long pending work runs in pieces. A loop that reads nothing is cut where its body begins, so
/// that the pieces are equal and share one artifact.
namespace kiln::detail {

/// The most nodes that are compiled as one graph, and the longest chain that stays pending.
inline constexpr std::size_t maxNodes = 1000;

/// Numbers the nodes of a graph in the order in which the program recorded them.
void sortByCreation(PendingGraph &graph);

/// How many nodes the piece has that begins with one of them: at most maxNodes, and, where the
/// program looks like a loop, whole rounds of it.
std::size_t pieceSize(const PendingGraph &graph, std::size_t begin);

/// Makes inputs of the constants, so that a number that changes from round to round (the loop's
/// counter) is no part of the artifact's key. Equal ones of one place become one input.
void constantsToLeaves(PendingGraph &piece);

/// Gives a constant its contents, as a leaf has them.
void realizeConstant(const std::shared_ptr<Node> &constant);

/// Called with every node that was just recorded: numbers it, and runs what is pending below it
/// when that has become long.
void boundPending(const std::shared_ptr<Node> &node);

/// Runs what is pending, piece after piece, until no more than `keep` nodes are left. Returns how
/// many ran; nodes that nobody needs any more are reset (frontend/Evaluate.cpp).
std::size_t runPieces(PendingGraph &pending, std::size_t keep, std::string_view operation,
                      const std::source_location &where);

} // namespace kiln::detail
