// LangChain JS: npm install @langchain/openai
import { ChatOpenAI } from '@langchain/openai';

const model = new ChatOpenAI({
  model: 'policy/demo',
  apiKey: process.env.UNDERSTUDY_KEY,
  configuration: { baseURL: `${process.env.UNDERSTUDY_URL}/v1` },
  maxRetries: 0, // Understudy retries.
});

console.log((await model.invoke('Hello')).content);
for await (const piece of await model.stream('Hello')) process.stdout.write(String(piece.content));
console.log();
