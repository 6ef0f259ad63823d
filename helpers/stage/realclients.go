package stage

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"time"

	"msc4014/helpers/realclient"
)

// ofStart bounds the start of a real client, in the check's own time: it loads many files of its image.
const ofStart = 90 * time.Second

// Nio starts matrix-nio, which registers a user of hs1 whose localpart begins with name. It returns an error if the client cannot
// register.
func (s *Stage) Nio(name string) (*realclient.Nio, error) {
	suffix := make([]byte, 4)
	_, _ = rand.Read(suffix) // never fails
	localpart := fmt.Sprintf("%s-%s", name, hex.EncodeToString(suffix))
	program := s.realClient(localpart, realclient.NioProgram)
	ctx, cancel := s.C.Within(Patience)
	defer cancel()
	nio, err := realclient.RegisterNio(ctx, program, localpart, passwordOf(localpart))
	if err == nil {
		s.registers(nio.UserID)
	}
	return nio, err
}

// NioDevice starts matrix-nio again, which logs in as another device of a user that Nio registered.
func (s *Stage) NioDevice(userID string) (*realclient.Nio, error) {
	s.devices++
	program := s.realClient(fmt.Sprintf("%s-%d", localpartOf(userID), s.devices+1), realclient.NioProgram)
	ctx, cancel := s.C.Within(Patience)
	defer cancel()
	return realclient.LogInNio(ctx, program, userID, passwordOf(localpartOf(userID)))
}

// realClient starts a program of the image of real clients beside hs1. Its record becomes evidence of the check when that ends.
func (s *Stage) realClient(name string, command []string) *realclient.Program {
	ctx, cancel := s.C.WithinWork(ofStart)
	defer cancel()
	process, err := s.world.StartClient(ctx, s.Deployment.Server(0), command...)
	s.must(err)
	s.C.Cleanup(func() { _ = process.Close(context.WithoutCancel(s.C.Context())) }) // what is left is removed with the run
	program, err := realclient.Start(ctx, process)
	s.must(err)
	s.C.Notef("the client of %s is %s", name, program.Software)
	s.C.Cleanup(func() { s.C.Attach(name+".txt", program.Record()) })
	return program
}

// Weechat starts weechat, which logs in as another device of a user. It returns an error if the client cannot log in.
func (u *User) Weechat() (*realclient.Weechat, error) {
	s, localpart := u.stage, u.Localpart()
	program := s.realClient(localpart, realclient.WeechatProgram)
	ctx, cancel := s.C.WithinWork(ofStart)
	defer cancel()
	return realclient.LogInWeechat(ctx, program, localpart, u.password())
}
