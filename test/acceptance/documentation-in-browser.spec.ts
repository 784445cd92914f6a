import { existsSync } from 'node:fs';
import { chromium, type Page } from 'playwright-core';
import { describe, expect, test } from 'vitest';
import { prepareService } from '../support/prepared-service.js';

const CHROMIUM = '/usr/bin/chromium';
const hasChromium = existsSync(CHROMIUM);
const CHROMIUM_ARGUMENTS = [
  '--headless=new',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];
if (!hasChromium) console.warn(`The documentation is not tried in a browser: there is no ${CHROMIUM}.`);

const { api, user } = prepareService();

describe.skipIf(!hasChromium)('the page in a browser', () => {
  async function withPage(path: string, work: (page: Page) => Promise<void>): Promise<void> {
    const browser = await chromium.launch({ executablePath: CHROMIUM, args: CHROMIUM_ARGUMENTS });
    try {
      const page = await browser.newPage();
      page.setDefaultTimeout(20_000);
      const mistakes: string[] = [];
      page.on('pageerror', (error) => mistakes.push(error.message));
      page.on('requestfailed', (request) => mistakes.push(`${request.url()} failed`));
      page.on('console', (message) => message.type() === 'error' && mistakes.push(message.text()));
      await page.goto(api.url + path);
      await work(page);
      expect(mistakes).toEqual([]);
    } finally {
      await browser.close();
    }
  }

  test('starts collapsed and shows only our name', () =>
    withPage('/', async (page) => {
      await page.getByText('Start here').first().waitFor();
      expect(new URL(page.url()).pathname).toBe('/docs/');
      expect(await page.locator('.opblock').count()).toBe(0);
      const text = await page.locator('body').innerText();
      expect(text).toContain('Foretell');
      expect(text).not.toMatch(/swagger|smartbear/i);
      expect(await page.locator('link[rel=icon]').getAttribute('href')).toMatch(/^data:image\/svg/);
    }));

  test('opens at the operation in its address', () =>
    withPage('/docs/#/Start%20here/predict', async (page) => {
      await page.locator('.opblock.is-open').waitFor();
      expect(await page.locator('.opblock.is-open .opblock-summary-path').innerText()).toContain('/predict');
    }));

  test('shows errors with their real types', () =>
    withPage('/docs/#/Start%20here/createToken', async (page) => {
      const operation = page.locator('.opblock', { has: page.locator('[data-path="/token"]') });
      await operation.locator('.responses-table').waitFor();
      const shown = await operation.locator('.response', { hasText: '401' }).first().innerText();
      expect(shown).toContain('urn:foretell:error:invalid-credentials');
    }));

  test('works: authorize, paste a token, execute POST /predict with the example', () =>
    withPage('/docs#/Start%20here/predict', async (page) => {
      expect(await page.title()).toBe('Foretell');
      await page.locator('.auth-wrapper').getByRole('button', { name: 'Authorize' }).click();
      const dialog = page.locator('.dialog-ux');
      await dialog.getByLabel('auth-bearer-value').fill(user.token);
      await dialog.getByRole('button', { name: 'Apply credentials' }).click();
      await dialog.getByRole('button', { name: 'Close' }).click();

      const operation = page.locator('.opblock.is-open', { has: page.locator('[data-path="/predict"]') });
      await operation.getByRole('button', { name: 'Try it out' }).click();
      await operation.getByRole('button', { name: 'Execute' }).click();

      // The live answer: the documentation has the same probability as an example.
      const live = operation.locator('.live-responses-table .response');
      await live.waitFor();
      expect(await live.locator('.response-col_status').innerText()).toContain('200');
      expect(await live.locator('.response-col_description').innerText()).toContain(
        '"yhat_prob": "0.5124506"',
      );
    }));
});
