import { Body, Controller, Get, HttpCode, Inject, Param, Post } from '@nestjs/common';
import { RouteConfig } from '@nestjs/platform-fastify';
import { ApiOperation, ApiResponse } from '@nestjs/swagger';
import { Problem } from '#libs/errors';
import { TokensService } from '#libs/tokens';
import type { HashingPurpose } from '#libs/users';
import { InGroup } from '../../openapi/groups.js';
import { Refuses } from '../../openapi/refusals.js';
import { Public } from '../../guards/auth.guard.js';
import { CallerNetwork } from '../../guards/caller-network.js';
import { MessageDto } from '../users/users.dto.js';
import { CredentialsDto, TokenDto } from './tokens.dto.js';

@Controller()
@Public()
export class TokensController {
  constructor(@Inject(TokensService) private readonly tokens: TokensService) {}

  @Post('token')
  @InGroup('Start here')
  @RouteConfig({ queue: 'login' satisfies HashingPurpose })
  @HttpCode(200)
  @ApiOperation({ summary: 'Exchange a password for a token' })
  @ApiResponse({ status: 200, type: TokenDto })
  @Refuses({
    'invalid-credentials': 'Wrong password, unknown user or disabled user.',
    'too-many-failed-logins': 'Too many failed logins; see `Retry-After`.',
  })
  async createToken(
    @Body() { username, password }: CredentialsDto,
    @CallerNetwork() network: string,
  ): Promise<TokenDto> {
    const { token, expiresInSeconds } = await this.tokens.issueToken(username, password, network);
    return { token, expires_in: expiresInSeconds, token_type: 'Bearer' };
  }

  @Get('token_status/:token')
  @InGroup('Accounts')
  @ApiOperation({
    summary: 'Whether a token is valid',
    deprecated: true,
    description:
      'A token in a URL ends up in the logs of every proxy on the way. Call a route that needs a token instead.',
  })
  @ApiResponse({ status: 200, type: MessageDto })
  @Refuses({ 'invalid-token': 'The token is not valid.' })
  async checkToken(@Param('token') token: string): Promise<MessageDto> {
    if (await this.tokens.isValid(token)) return { message: 'Token is valid' };
    throw new Problem(
      'invalid-token',
      'The token is malformed, expired or revoked, or its user is disabled or removed.',
    );
  }
}
