#include "standin/Call.h"

using namespace kiln::runtime::cuda;
using namespace standin;

extern "C" {

Result cuStreamBeginCapture_v2(StreamHandle stream, int) {
  ENTER(cuStreamBeginCapture_v2);
  NEED(state.streams.contains(stream), "a stream that is not there");
  if (stream->capture)
    return errorCaptureUnsupported;
  stream->capture = std::make_unique<CUgraph_st>();
  return CUDA_SUCCESS;
}

Result cuStreamEndCapture(StreamHandle stream, GraphHandle *graph) {
  Call call("cuStreamEndCapture");
  State &state = call.state;
  if (call.code) { // it ends all the same
    stream->capture.reset();
    return call.code;
  }
  NEED(state.streams.contains(stream) && stream->capture, "a stream that records nothing");
  *graph = stream->capture.release();
  state.graphs.insert(*graph);
  return CUDA_SUCCESS;
}

Result cuGraphInstantiateWithFlags(GraphExecHandle *exec, GraphHandle graph, unsigned long long) {
  ENTER(cuGraphInstantiateWithFlags);
  NEED(state.graphs.contains(graph), "a graph that is not there");
  *exec = new CUgraphExec_st{graph->works};
  state.graphExecs.insert(*exec);
  return CUDA_SUCCESS;
}

Result cuGraphExecUpdate_v2(GraphExecHandle exec, GraphHandle graph, GraphUpdateResult *result) {
  ENTER(cuGraphExecUpdate_v2);
  NEED(state.graphExecs.contains(exec) && state.graphs.contains(graph),
       "a graph that is not there");
  bool fits = exec->works.size() == graph->works.size();
  for (std::size_t i = 0; fits && i < exec->works.size(); ++i)
    fits = exec->works[i].kind == graph->works[i].kind;
  result->result = fits ? 0 : 1;
  if (!fits)
    return errorUpdateFailure;
  exec->works = graph->works;
  return CUDA_SUCCESS;
}

Result cuGraphLaunch(GraphExecHandle exec, StreamHandle stream) {
  ENTER(cuGraphLaunch);
  NEED(state.graphExecs.contains(exec) && state.streams.contains(stream),
       "a graph or a stream that is not there");
  for (const Work &work : exec->works)
    state.put(*stream, work);
  return CUDA_SUCCESS;
}

Result cuGraphExecDestroy(GraphExecHandle exec) {
  ENTER(cuGraphExecDestroy);
  NEED(state.graphExecs.erase(exec), "a graph that is not there");
  delete exec;
  return CUDA_SUCCESS;
}

Result cuGraphDestroy(GraphHandle graph) {
  ENTER(cuGraphDestroy);
  NEED(state.graphs.erase(graph), "a graph that is not there");
  delete graph;
  return CUDA_SUCCESS;
}

} // extern "C"
