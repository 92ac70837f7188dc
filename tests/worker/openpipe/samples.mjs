// The samples of OpenPipe's own page on fallback options, with OpenPipe's own package: read by openpipe.test.mjs.
// Environment: OPENPIPE_BASE_URL, OPENAI_BASE_URL: Understudy's /v1. OPENPIPE_API_KEY, OPENAI_API_KEY: a gateway key.
// Standard output: {"<sample>": what was said, or the error's status}
import OpenAICompatibleClient from 'openai';
import OpenAI from 'openpipe/openai';

const messages = [{ role: 'user', content: 'Count to 10' }];
const content = (completion) => completion.choices[0].message.content;

const SAMPLES = {
  async fallback() {
    const openai = new OpenAI();
    const completion = await openai.chat.completions.create({
      messages: [{ role: 'user', content: 'Count to 10' }],
      model: 'openpipe:my-ft-model',
      openpipe: {
        fallback: { model: 'gpt-4-turbo' },
      },
    });
    await completion.openpipe?.reportingFinished;
    return content(completion);
  },
  // Its ten and twenty seconds are one and two here.
  async timeout() {
    const openai = new OpenAI({ maxRetries: 0 });
    const completion = await openai.chat.completions.create(
      {
        messages: [{ role: 'user', content: 'Count to 10' }],
        model: 'openpipe:my-slow-model',
        openpipe: {
          fallback: {
            model: 'gpt-4-turbo',
            timeout: 2 * 1000,
          },
        },
      },
      {
        timeout: 1 * 1000,
      },
    );
    return content(completion);
  },
  async client() {
    const openai = new OpenAI({
      openpipe: {
        fallbackClient: new OpenAICompatibleClient({ apiKey: process.env.OPENAI_API_KEY, baseURL: process.env.OTHER_BASE_URL }),
      },
    });
    const completion = await openai.chat.completions.create({
      messages: [{ role: 'user', content: 'Count to 10' }],
      model: 'openpipe:my-ft-model',
      openpipe: {
        fallback: { model: 'gpt-4-turbo' },
      },
    });
    return content(completion);
  },
  async stream() {
    const openai = new OpenAI();
    let said = '';
    for await (const chunk of await openai.chat.completions.create({ messages, model: 'openpipe:my-ft-model', stream: true, openpipe: { fallback: { model: 'gpt-4-turbo' }, tags: { prompt_id: 'count' } } })) said += chunk.choices[0]?.delta?.content ?? '';
    return said;
  },
  /** A rule of the Worker's owner answers before the package has to. */
  async ruled() {
    const openai = new OpenAI();
    return content(await openai.chat.completions.create({ messages, model: 'openpipe:ruled-model', openpipe: { tags: { prompt_id: 'count' } } }));
  },
  async none() {
    return new OpenAI({ maxRetries: 0 }).chat.completions.create({ messages, model: 'openpipe:my-ft-model' }).then(content, (error) => error.status);
  },
};

const said = {};
for (const [name, sample] of Object.entries(SAMPLES)) said[name] = await sample().catch((error) => `${error}`);
console.log(JSON.stringify(said));
