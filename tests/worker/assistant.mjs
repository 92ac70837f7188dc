// A scripted model that does what client programs ask of one: it calls the tools that it is given, each once, answers in
// the shape of a JSON schema, repeats the user's words else, and embeds. As JSON and as a stream of Chat's wire.
import { answer, data, json, sse } from './upstream.mjs';

export function assistant(call) {
  const { messages, tools = [], tool_choice, response_format, input } = call.json;
  if (call.path.endsWith('/embeddings')) return embeddings(call);
  if (!messages) return answer(input)(call);
  const called = messages.flatMap((message) => message.tool_calls ?? []).map((made) => made.function.name);
  const open = tools.map((tool) => tool.function).filter((tool) => !called.includes(tool.name));
  const wanted = open.find((tool) => tool.name === tool_choice?.function?.name) ?? open[0];
  if (wanted) return toolCall(call, wanted);
  const schema = response_format?.json_schema?.schema;
  const said = schema ? JSON.stringify(sample(schema, schema)) : lastWords(messages);
  return answer(said.match(/\S+\s*/g))(call);
}

const lastWords = (messages) => {
  const content = messages.findLast((message) => message.role === 'user' || message.role === 'tool').content;
  return typeof content === 'string' ? content : content.map((part) => part.text ?? '').join('');
};

function toolCall(call, tool) {
  const made = { id: `call_${tool.name}`, type: 'function', function: { name: tool.name, arguments: JSON.stringify(sample(tool.parameters ?? {}, tool.parameters)) } };
  const base = { id: 'chatcmpl-1', created: 1, model: call.model };
  if (!call.streaming) {
    const message = { role: 'assistant', content: null, tool_calls: [made] };
    return json({ ...base, object: 'chat.completion', choices: [{ index: 0, message, finish_reason: 'tool_calls' }], usage: { prompt_tokens: 9, completion_tokens: 3, total_tokens: 12 } });
  }
  const chunk = (delta, finish_reason = null) => data({ ...base, object: 'chat.completion.chunk', choices: [{ index: 0, delta, finish_reason }] });
  const half = made.function.arguments.length >> 1;
  const part = (text, more = {}) => chunk({ tool_calls: [{ index: 0, ...more, function: { ...more.function, arguments: text } }] });
  return sse(
    chunk({ role: 'assistant', content: null }),
    part('', { id: made.id, type: 'function', function: { name: tool.name } }),
    part(made.function.arguments.slice(0, half)),
    part(made.function.arguments.slice(half)),
    chunk({}, 'tool_calls'),
    data('[DONE]'),
  );
}

/** A value that a schema accepts. */
function sample(schema, root) {
  if (schema.$ref) return sample(schema.$ref.split('/').slice(1).reduce((at, name) => at[name], root), root);
  if (schema.enum) return schema.enum[0];
  const one = schema.anyOf ?? schema.oneOf ?? schema.allOf;
  if (one) return sample(one[0], root);
  const values = { string: () => 'Lisbon', integer: () => 545000, number: () => 545000, boolean: () => true, array: () => [sample(schema.items ?? {}, root)], null: () => null };
  if (values[schema.type]) return values[schema.type]();
  return Object.fromEntries(Object.entries(schema.properties ?? {}).map(([name, inner]) => [name, sample(inner, root)]));
}

function embeddings(call) {
  const inputs = [call.json.input].flat();
  const numbers = new Float32Array([0.25, -0.5, 1, 0]);
  const embedding = call.json.encoding_format === 'base64' ? Buffer.from(numbers.buffer).toString('base64') : [...numbers];
  return json({ object: 'list', model: call.model, data: inputs.map((_, index) => ({ object: 'embedding', index, embedding })), usage: { prompt_tokens: 3, total_tokens: 3 } });
}
