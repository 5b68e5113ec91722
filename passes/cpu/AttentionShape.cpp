#include "passes/cpu/AttentionShape.h"

namespace kiln::passes {

AttentionShape::AttentionShape(ir::AttentionOp op)
    : q(ElementEmitter::typeOf(op.getQ())), k(ElementEmitter::typeOf(op.getK())),
      v(ElementEmitter::typeOf(op.getV())) {
  const int64_t rank = q.rank();
  const bool headsLast = op.getLayout() == "bshd";
  headAxis = headsLast ? rank - 2 : rank - 3;
  rowAxis = headsLast ? rank - 3 : rank - 2;
  heads = q.shape[headAxis];
  queries = q.shape[rowAxis];
  keys = k.shape[rowAxis];
  outer.assign(q.shape.begin(), q.shape.begin() + (rank - 3));
  outer.push_back(heads);
  std::vector<Dim> scoreDims = outer;
  scoreDims.insert(scoreDims.end(), {queries, keys});
  scores = {q.dtype, Shape(scoreDims)};
}

} // namespace kiln::passes
