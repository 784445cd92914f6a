import { Body, Controller, Delete, Inject, Param, Post, Put, UseGuards } from '@nestjs/common';
import { RouteConfig } from '@nestjs/platform-fastify';
import { ApiOperation, ApiParam, ApiResponse } from '@nestjs/swagger';
import { UsersService, type HashingPurpose } from '#libs/users';
import { InGroup } from '../../openapi/groups.js';
import { Refuses } from '../../openapi/refusals.js';
import { Public } from '../../guards/auth.guard.js';
import { parseFlag, parseUserId } from './path-parameters.js';
import { Roles } from '../../guards/roles.guard.js';
import { ID } from '../../openapi/schemas.js';
import { RegistrationGuard } from './registration.guard.js';
import { MessageDto, RegisteredDto, RegisterUserDto } from './users.dto.js';

@Controller()
export class UsersController {
  constructor(@Inject(UsersService) private readonly users: UsersService) {}

  @Post('register-user')
  @InGroup('Start here')
  @Public()
  @RouteConfig({ queue: 'registration' satisfies HashingPurpose })
  @UseGuards(RegistrationGuard)
  @ApiOperation({ summary: 'Register a user, if REGISTRATION is open' })
  @ApiResponse({ status: 201, type: RegisteredDto })
  @Refuses({
    'bad-request': 'Some fields are missing or invalid.',
    'registration-closed': 'Registration is closed: ask an admin for an account.',
    'user-already-exists': 'The username is taken, regardless of case.',
    'too-many-registrations': 'Too many registrations from one address; see `Retry-After`.',
  })
  async registerUser(@Body() user: RegisterUserDto): Promise<RegisteredDto> {
    const { id } = await this.users.register(user);
    return { message: 'User created successfully', user_id: id };
  }

  @Put('toggle-user-permission/:user_id/:enabled')
  @InGroup('Accounts')
  @Roles('admin')
  @ApiOperation({ summary: 'Enable or disable a user (admin)' })
  @ApiParam({ name: 'user_id', schema: ID })
  @ApiParam({ name: 'enabled', enum: ['0', '1', 'true', 'false'] })
  @ApiResponse({ status: 200, type: RegisteredDto })
  @Refuses({ 'user-not-found': 'No such user.', 'last-admin': 'It is the last admin who can act.' })
  async setUserEnabled(
    @Param('user_id') user: string,
    @Param('enabled') enabled: string,
  ): Promise<RegisteredDto> {
    const userId = parseUserId(user);
    await this.users.setEnabled(userId, parseFlag(enabled));
    return { message: 'User permission updated successfully', user_id: userId };
  }

  @Delete('remove-user/:user_id')
  @InGroup('Accounts')
  @Roles('admin')
  @ApiOperation({ summary: 'Erase a user and keep their recorded predictions (admin)' })
  @ApiParam({ name: 'user_id', schema: ID })
  @ApiResponse({ status: 200, type: MessageDto })
  @Refuses({ 'user-not-found': 'No such user.', 'last-admin': 'It is the last admin who can act.' })
  async removeUser(@Param('user_id') user: string): Promise<MessageDto> {
    await this.users.remove(parseUserId(user));
    return { message: 'User deleted successfully' };
  }
}
