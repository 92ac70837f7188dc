// LangChain JS: npm install @langchain/core @langchain/openai zod
import { tool } from '@langchain/core/tools';
import { ChatOpenAI, OpenAIEmbeddings } from '@langchain/openai';
import { z } from 'zod';

const { UNDERSTUDY_URL, UNDERSTUDY_KEY, UNDERSTUDY_MODEL = 'policy/demo', UNDERSTUDY_EMBEDDINGS = 'sim/echo' } = process.env;
const at = { apiKey: UNDERSTUDY_KEY, configuration: { baseURL: `${UNDERSTUDY_URL}/v1` }, maxRetries: 0 }; // Understudy retries.
const model = new ChatOpenAI({ ...at, model: UNDERSTUDY_MODEL });

console.log((await model.invoke('Hello')).text);

for await (const piece of await model.stream('Hello')) process.stdout.write(piece.text);
console.log();

const numbers = await new OpenAIEmbeddings({ ...at, model: UNDERSTUDY_EMBEDDINGS }).embedQuery('Hello');
console.log('embedding of', numbers.length, 'numbers');

// Tools and structured output want a model that has them; policy/demo repeats what it is told.
if (UNDERSTUDY_MODEL !== 'policy/demo') {
  const weather = tool(({ city }) => `sunny in ${city}`, { name: 'weather', description: 'The weather in a city', schema: z.object({ city: z.string() }) });
  const { tool_calls } = await model.bindTools([weather]).invoke('How is the weather in Lisbon?');
  console.log('tool:', (await weather.invoke(tool_calls[0])).content);

  const city = await model.withStructuredOutput(z.object({ city: z.string(), population: z.number() })).invoke('The largest city of Portugal');
  console.log('object:', city.city, city.population);
}
